//! What polkit may say, well and badly formed, over a real bus.

use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use zbus::Connection;
use zbus::message::Message;

use super::*;
use crate::bus::tests::Daemon;
use crate::pipeline::tests::stage;

fn answer(is_authorized: bool, is_challenge: bool, dismissed: bool) -> AuthorizationResult {
    let details =
        if dismissed { HashMap::from([("polkit.dismissed".to_owned(), "true".to_owned())]) } else { HashMap::new() };
    AuthorizationResult { is_authorized, is_challenge, details }
}

#[test]
fn only_authorized_is_a_yes() {
    for (said, reply) in [
        (answer(true, false, false), Reply::Yes(ApprovalKind::Challenge)),
        (answer(false, false, false), Reply::No),
        (answer(false, false, true), Reply::Dismissed),
        (answer(false, true, true), Reply::Dismissed),
        (answer(false, true, false), Reply::NoAgent),
    ] {
        assert_eq!(after_dialog(&said), reply);
    }
}

const LIAR: &str = include_str!("../../../../../tests/data/lying-polkit.py");

struct Liar {
    process: Child,
    _told: TempDir,
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Somebody who owns polkit's name and answers so: without a dialog, and with one.
#[expect(clippy::disallowed_methods, reason = "the other end of the bus is a process of the test's own")]
async fn liar(bus: &Daemon, connection: &Connection, first: &str, second: &str) -> Liar {
    let directory = tempfile::tempdir().unwrap();
    let told = directory.path().join("told");
    std::fs::write(&told, format!("{first} {second}")).unwrap();
    let words = ["-c", LIAR].map(std::ffi::OsStr::new).into_iter().chain([bus.socket.as_os_str(), told.as_os_str()]);
    let process = Command::new("python3").args(words).stdout(Stdio::null()).spawn().unwrap();
    let liar = Liar { process, _told: directory };
    let bus = DBusProxy::new(connection).await.unwrap();
    let name = || "org.freedesktop.PolicyKit1".try_into().unwrap();
    for _ in 0..1_000 {
        if bus.name_has_owner(name()).await.unwrap() {
            return liar;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nobody owns the name");
}

fn sender(connection: &Connection) -> Person {
    let name = connection.unique_name().unwrap();
    let message = Message::method_call("/a", "Submit").sender(name.as_str()).build(&()).unwrap();
    let (here, follow) = watch::channel(());
    drop(tokio::spawn(async move { here.closed().await }));
    let caller = Caller { bus_name: BusName::try_from(name.as_str().to_owned()).unwrap(), ..stage::caller(1000) };
    Person::sender_of(&message.header(), &caller, follow).unwrap()
}

/// What is said by the words is what is taken, and whatever else is said is no answer.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_polkit_does_not_say_clearly_is_no_yes() {
    let bus = Daemon::start();
    let lies = [
        "text",
        "nothing",
        "truth-alone",
        "numbers",
        "other-values",
        "a-list",
        "one-truth-too-many",
        "variant",
        "neither",
        "strange-error",
        "error-that-says-yes",
    ];
    let mut table = vec![
        ("yes", "no", Reply::Yes(ApprovalKind::PolkitRule)),
        ("no", "yes", Reply::No),
        ("challenge", "yes", Reply::Yes(ApprovalKind::Challenge)),
        ("challenge", "no", Reply::No),
        ("challenge", "challenge", Reply::NoAgent),
    ];
    table.extend(
        lies.into_iter().flat_map(|lie| [(lie, "yes", Reply::Unavailable), ("challenge", lie, Reply::Unavailable)]),
    );
    for (first, second, expected) in table {
        let connection = bus.connect().await;
        let _liar = liar(&bus, &connection, first, second).await;
        let authority = AuthorityProxy::builder(&connection).cache_properties(zbus::proxy::CacheProperties::No);
        let polkit = Polkit::new(authority.build().await.unwrap(), DBusProxy::new(&connection).await.unwrap());
        let never = Box::pin(std::future::pending());
        let matter = Matter::Approve(countersign_core::tier::Tier::T2);
        let reply = polkit.ask(&sender(&connection), matter, &Words::default(), Dialog::Allowed, never).await;
        assert_eq!(reply, expected, "{first}, then {second}");
    }
}
