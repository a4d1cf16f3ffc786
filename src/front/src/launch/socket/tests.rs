//! The socket's tests: a peer of our own at the other end speaks the launcher's part.

use std::fs::File;
use std::io::{IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use countersign_core::digest::Digest;
use countersign_core::order::Claim;
use rustix::net::{AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, SocketFlags, SocketType, socketpair};

use super::*;
use crate::clock;
use crate::launch::sim;

struct Peer(OwnedFd);

impl Peer {
    fn pair() -> (OwnedFd, Self) {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
        (ours, Self(theirs))
    }

    fn say(&self, message: &FromLauncher) {
        self.send(&serde_json::to_vec(message).unwrap());
    }

    fn send(&self, bytes: &[u8]) {
        rustix::net::send(&self.0, bytes, SendFlags::empty()).unwrap();
    }

    /// The next message; waits for it, so call it from a thread of its own.
    fn hear(&self) -> (ToLauncher<Claim>, Vec<OwnedFd>) {
        let mut buffer = vec![0_u8; MAX_BYTES];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut beside = RecvAncillaryBuffer::new(&mut space);
        let got =
            rustix::net::recvmsg(&self.0, &mut [IoSliceMut::new(&mut buffer)], &mut beside, RecvFlags::CMSG_CLOEXEC)
                .unwrap();
        let rights = |message| if let RecvAncillaryMessage::ScmRights(files) = message { Some(files) } else { None };
        let files = beside.drain().filter_map(rights).flatten();
        (serde_json::from_slice(&buffer[..got.bytes]).unwrap(), files.collect())
    }
}

fn ready() -> FromLauncher {
    FromLauncher::Ready { ruleset: Ruleset { version: 1, digest: Digest::ZERO }, cleared: None, handovers: vec![] }
}

async fn connected() -> (Socket, Peer) {
    let (ours, peer) = Peer::pair();
    peer.say(&ready());
    let (socket, said) = Socket::open(ours).await.unwrap();
    assert_eq!(said.ruleset.version, 1);
    (socket, peer)
}

fn id(bits: u128) -> RequestId {
    RequestId::from_random(bits)
}

#[tokio::test]
async fn only_ready_is_a_beginning() {
    let (ours, peer) = Peer::pair();
    peer.say(&FromLauncher::Started { id: id(1) });
    assert!(matches!(Socket::open(ours).await, Err(LaunchError::Nonsense)));
    let (ours, peer) = Peer::pair();
    drop(peer);
    assert!(matches!(Socket::open(ours).await, Err(LaunchError::Ended)));
    let (ours, peer) = Peer::pair();
    peer.send(b"{");
    assert!(matches!(Socket::open(ours).await, Err(LaunchError::Ended)));
}

#[tokio::test]
async fn answers_find_their_questions_in_any_order() {
    let (socket, peer) = connected().await;
    let (argv, cwd) = (Argv::new(vec!["id".to_owned()]).unwrap(), CleanPath::new("/").unwrap());
    let answering = tokio::task::spawn_blocking(move || {
        let asked = || if let ToLauncher::Pin { id, .. } = peer.hear().0 { id } else { panic!("no question") };
        let ids = [asked(), asked()];
        for id in ids.into_iter().rev() {
            let mut pinned = sim::pinned();
            pinned.executable.inode = if id == super::RequestId::from_random(1) { 1 } else { 2 };
            peer.say(&FromLauncher::Pinned { id, result: Ok(Box::new(pinned)) });
        }
        peer
    });
    let (first, second) = tokio::join!(socket.pin(id(1), &argv, &cwd), socket.pin(id(2), &argv, &cwd));
    assert_eq!((first.unwrap().executable.inode, second.unwrap().executable.inode), (1, 2));
    answering.await.unwrap();
}

#[tokio::test]
async fn a_launcher_that_dies_leaves_nobody_waiting() {
    let (socket, peer) = connected().await;
    let (argv, cwd) = (Argv::new(vec!["id".to_owned()]).unwrap(), CleanPath::new("/").unwrap());
    let dying = tokio::task::spawn_blocking(move || drop(peer.hear()));
    assert_eq!(socket.pin(id(1), &argv, &cwd).await.unwrap_err().code, Code::LaunchFailed);
    dying.await.unwrap();
    socket.gone().await;
    assert_eq!(socket.pin(id(2), &argv, &cwd).await.unwrap_err().code, Code::LaunchFailed, "and nobody begins to");
    let note = StopNote { time: clock::now(), who: String::new(), why: String::new() };
    assert!(socket.stop(note).await.is_err());
}

#[tokio::test]
async fn a_drain_is_over_when_the_launcher_says_so_and_it_still_signs() {
    let (socket, peer) = connected().await;
    let answering = tokio::task::spawn_blocking(move || {
        assert!(matches!(peer.hear().0, ToLauncher::Drain));
        peer.say(&FromLauncher::Drained);
        assert!(matches!(peer.hear().0, ToLauncher::Sign { base: 3, .. }));
        peer.say(&FromLauncher::Signed { result: Ok("note".to_owned()) });
        peer
    });
    socket.drain().await;
    assert_eq!(socket.sign(3, TreeHead::empty(), Proof::default()).await.unwrap(), "note");
    answering.await.unwrap();
}

#[tokio::test]
async fn a_drain_waits_for_its_answer_or_for_the_launchers_end() {
    let (socket, peer) = connected().await;
    assert!(timeout(Duration::from_millis(50), socket.drain()).await.is_err(), "a job runs");
    peer.say(&FromLauncher::Stopped { failure: None });
    assert!(timeout(Duration::from_millis(50), socket.drain()).await.is_err(), "another's answer");
    let (draining, dying) = (socket.drain(), async { drop(peer) });
    tokio::join!(draining, dying);
    socket.drain().await;
}

#[tokio::test]
async fn nonsense_from_the_launcher_is_its_end() {
    let (socket, peer) = connected().await;
    peer.send(b"[]");
    socket.gone().await;
}

#[tokio::test]
async fn descriptors_go_beside_their_message() {
    let (socket, peer) = connected().await;
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    let message = ToLauncher::Cancel { id: id(7), cause: CancelCause::Cancelled };
    socket.send(&message, &[writer.as_fd()]).await.unwrap();
    drop(writer);
    let (heard, files) = tokio::task::spawn_blocking(move || peer.hear()).await.unwrap();
    assert!(matches!(heard, ToLauncher::Cancel { id: told, .. } if told == id(7)));
    let [file] = <[OwnedFd; 1]>::try_from(files).unwrap();
    File::from(file).write_all(b"x").unwrap();
    let mut text = String::new();
    File::from(reader).read_to_string(&mut text).unwrap();
    assert_eq!(text, "x");
}
