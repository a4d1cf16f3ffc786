//! Pump: reads one pipe to its end. Everything read is hashed and counted before anything else is done with it.
//!
//! The end is the end of the pipe, or a while after the end of the job: a job may have handed its descriptor to a
//! process that is not its own, and that must not keep the call waiting.

use std::io;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use countersign_core::digest::Digest;
use countersign_core::outcome::Stream;
use sha2::{Digest as _, Sha256};
use tokio::net::unix::pipe::Receiver;
use tokio::sync::watch;
use tokio::time::sleep;

use super::copy::Copy;
use super::{Cap, Captured, PREVIEW};

/// How much is read at once: a whole pipe's worth.
const CHUNK: usize = 64 * 1_024;

pub(super) struct Pump {
    reader: Receiver,
    copy: Option<Copy>,
    copied: bool,
    cap: Arc<Cap>,
    ended: watch::Receiver<Option<Duration>>,
    hasher: Sha256,
    length: u64,
    preview: Vec<u8>,
    truncated: bool,
}

impl Pump {
    pub(super) fn new(
        reader: OwnedFd,
        copy: Option<Copy>,
        cap: Arc<Cap>,
        ended: watch::Receiver<Option<Duration>>,
    ) -> io::Result<Self> {
        // Never waiting is for our end only: a pipe's ends are separate descriptions.
        let reader = Receiver::from_owned_fd(reader)?;
        let copied = copy.is_some();
        Ok(Self {
            reader,
            copy,
            copied,
            cap,
            ended,
            hasher: Sha256::new(),
            length: 0,
            preview: Vec::new(),
            truncated: false,
        })
    }

    pub(super) async fn run(mut self) -> Captured {
        let mut ended = self.ended.clone();
        let mut deadline = pin!(async move {
            // An error means that nobody will say so any more: the same as said.
            let grace = ended.wait_for(Option::is_some).await.ok().and_then(|grace| *grace);
            sleep(grace.unwrap_or_default()).await;
        });
        let whole = tokio::select! {
            biased;
            () = &mut deadline => false,
            whole = self.drain() => whole,
        };
        self.truncated |= !whole;
        self.into_captured()
    }

    /// Takes in everything and waits until it is copied; says whether that worked.
    async fn drain(&mut self) -> bool {
        loop {
            match read(&self.reader).await {
                Ok(chunk) if chunk.is_empty() => break,
                Ok(chunk) => {
                    self.take_in(&chunk);
                    self.pass_on(chunk).await;
                }
                Err(_) => return false,
            }
        }
        match self.copy.take() {
            Some(copy) => copy.finish().await,
            None => true,
        }
    }

    fn take_in(&mut self, chunk: &[u8]) {
        self.hasher.update(chunk);
        self.length = self.length.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
        self.cap.count(chunk.len());
        let room = PREVIEW.saturating_sub(self.preview.len());
        self.preview.extend(chunk.iter().take(room));
    }

    async fn pass_on(&mut self, chunk: Vec<u8>) {
        let Some(copy) = &self.copy else { return };
        if !copy.pass_on(chunk).await {
            // The reader has gone. The job is not told: its output is still hashed, as if it had been read.
            self.copy = None;
            self.truncated = true;
        }
    }

    fn into_captured(self) -> Captured {
        let previewed = u64::try_from(self.preview.len()).unwrap_or(u64::MAX);
        let cut = !self.copied && previewed < self.length;
        let stream = Stream {
            sha256: Digest::from_bytes(self.hasher.finalize().into()),
            length: self.length,
            truncated: self.truncated || cut,
        };
        Captured { stream, preview: self.preview }
    }
}

/// What there is to read; nothing at the end.
async fn read(reader: &Receiver) -> io::Result<Vec<u8>> {
    loop {
        reader.readable().await?;
        let mut buffer = vec![0_u8; CHUNK];
        match reader.try_read(&mut buffer) {
            Ok(length) => {
                buffer.truncate(length);
                return Ok(buffer);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}
