//! The socket to the front: one JSON text per datagram, descriptors beside it. Never waits.
//!
//! Enters: datagrams of at most [`MAX_BYTES`] bytes. Leaves: messages, each with the descriptors that came beside it,
//! and the other way what is to be told. A datagram that is not a message is an error, and the end of the launcher.

use std::collections::VecDeque;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use countersign_core::message::{FromLauncher, MAX_BYTES, MAX_DESCRIPTORS, ToLauncher};
use countersign_core::order::Claim;
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendFlags, recvmsg, sendmsg,
};

/// The most messages that may wait for a front that does not read.
const MOST_WAITING: usize = 4_096;

/// What came.
#[derive(Debug)]
pub(crate) enum Received {
    /// A message and its descriptors.
    Message(Box<ToLauncher<Claim>>, Vec<OwnedFd>),
    /// Nothing for now.
    Nothing,
    /// The front is gone.
    End,
}

/// Why the socket is of no more use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChannelError {
    /// Reading or writing.
    #[error("the front's socket failed")]
    Socket(#[source] Errno),
    /// A datagram or its descriptors were larger than any message.
    #[error("the front sent more than a message may have")]
    TooLarge,
    /// A datagram was not a message.
    #[error("the front sent something that is no message")]
    NotAMessage(#[source] serde_json::Error),
    /// The front does not read.
    #[error("the front does not read")]
    NotRead,
}

/// The socket and what is still to be told.
#[derive(Debug)]
pub(crate) struct Channel {
    socket: OwnedFd,
    waiting: VecDeque<Vec<u8>>,
    buffer: Vec<u8>,
}

impl Channel {
    /// Over a SEQPACKET socket.
    pub(crate) fn new(socket: OwnedFd) -> Self {
        Self { socket, waiting: VecDeque::new(), buffer: vec![0; MAX_BYTES] }
    }

    /// For waiting.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Whether something is still to be told.
    pub(crate) fn has_more(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The next message, if there is one.
    pub(crate) fn receive(&mut self) -> Result<Received, ChannelError> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
        let mut beside = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        let mut into = [IoSliceMut::new(&mut self.buffer)];
        let got = match recvmsg(&self.socket, &mut into, &mut beside, flags) {
            Ok(got) => got,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(Received::Nothing),
            Err(Errno::CONNRESET) => return Ok(Received::End),
            Err(errno) => return Err(ChannelError::Socket(errno)),
        };
        let mut files = Vec::new();
        for message in beside.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                files.extend(rights);
            }
        }
        if got.bytes == 0 {
            return Ok(Received::End);
        }
        if got.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
            return Err(ChannelError::TooLarge);
        }
        let text = self.buffer.get(..got.bytes).ok_or(ChannelError::TooLarge)?;
        let message = serde_json::from_slice(text).map_err(ChannelError::NotAMessage)?;
        Ok(Received::Message(Box::new(message), files))
    }

    /// Tells the front, at once or as soon as it reads.
    pub(crate) fn tell(&mut self, message: &FromLauncher) -> Result<(), ChannelError> {
        if self.waiting.len() >= MOST_WAITING {
            return Err(ChannelError::NotRead);
        }
        self.waiting.push_back(serde_json::to_vec(message).map_err(ChannelError::NotAMessage)?);
        self.flush()
    }

    /// Sends what waits, as far as the front reads.
    pub(crate) fn flush(&mut self) -> Result<(), ChannelError> {
        while let Some(bytes) = self.waiting.front() {
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            match sendmsg(&self.socket, &[IoSlice::new(bytes)], &mut SendAncillaryBuffer::default(), flags) {
                Ok(_) => drop(self.waiting.pop_front()),
                Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
                // The end of the socket is noticed, and acted on, where it is read.
                Err(Errno::PIPE | Errno::CONNRESET) => {
                    self.waiting.clear();
                    return Ok(());
                }
                Err(errno) => return Err(ChannelError::Socket(errno)),
            }
        }
        Ok(())
    }
}
