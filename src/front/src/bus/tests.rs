//! The interfaces over a real bus daemon of their own: who calls is proven by it, and who leaves is noticed.

use std::collections::HashMap;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use countersign_core::tier::Tier;
use tempfile::TempDir;
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};
use zbus::proxy::Proxy;
use zbus::{OwnedVariant, Variant};

use super::*;
use crate::lock::lock;
use crate::pipeline::tests::stage::Stage;
use crate::tickets::Phase;

const CONFIG: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path=@PATH@</listen>
  <auth>EXTERNAL</auth>
  <policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy>
</busconfig>"#;
const PATIENCE: Duration = Duration::from_secs(10);

type Asked<'a> = HashMap<&'a str, Variant<'a>>;
type Answered = HashMap<String, OwnedVariant>;

/// A bus daemon of the test's own.
pub(crate) struct Daemon {
    daemon: Child,
    pub(crate) socket: std::path::PathBuf,
    _directory: TempDir,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.daemon.kill().ok();
        self.daemon.wait().ok();
    }
}

impl Daemon {
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("bus");
        let config = directory.path().join("bus.conf");
        std::fs::write(&config, CONFIG.replace("@PATH@", &socket.display().to_string())).unwrap();
        Self { daemon: daemon(&config), socket, _directory: directory }
    }

    pub(crate) async fn connect(&self) -> Connection {
        connect(&format!("unix:path={}", self.socket.display())).await
    }
}

/// A bus daemon, and a broker on it.
struct Town {
    bus: Daemon,
    stage: Stage,
    stops: Mutex<mpsc::Receiver<StopCall>>,
    _broker: Connection,
}

#[expect(clippy::disallowed_methods, reason = "the test's own bus daemon is a process")]
fn daemon(config: &std::path::Path) -> Child {
    let file = format!("--config-file={}", config.display());
    Command::new("dbus-daemon").args([&file, "--nofork", "--nosyslog"]).stderr(Stdio::null()).spawn().unwrap()
}

impl Town {
    async fn new() -> Self {
        let bus = Daemon::start();
        let connection = bus.connect().await;
        connection.object_server().at(OBJECT, Opening).await.unwrap();
        let stage = Stage::new("");
        let news = lock(&stage.news).take().unwrap();
        let (stop, stops) = mpsc::channel(1);
        serve(&connection, Arc::clone(&stage.pipeline), news, stop).await.unwrap();
        Self { bus, stage, stops: Mutex::new(stops), _broker: connection }
    }

    async fn client(&self) -> Client {
        Client(self.bus.connect().await)
    }

    /// Waits until nothing is open any more.
    async fn settle(&self) {
        let settled = async {
            while !self.stage.pipeline.tickets.unfinished().is_empty() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, settled).await.unwrap();
    }
}

/// The daemon takes a moment until it listens.
async fn connect(address: &str) -> Connection {
    let begun = Instant::now();
    loop {
        match zbus::connection::Builder::address(address).build().await {
            Ok(connection) => return connection,
            Err(error) if begun.elapsed() > PATIENCE => panic!("{error}"),
            Err(_) => sleep(Duration::from_millis(5)).await,
        }
    }
}

struct Client(Connection);

impl Client {
    async fn call<B, R>(&self, path: &str, interface: &str, method: &str, body: &B) -> Result<R, String>
    where
        B: serde::Serialize + zbus::DynamicType,
        R: for<'d> zbus::wire::DynamicDeserialize<'d>,
    {
        let proxy: Proxy<'_> = Proxy::new(&self.0, NAME, path.to_owned(), interface.to_owned()).await.unwrap();
        match timeout(PATIENCE, proxy.call_method(method, body)).await.unwrap() {
            Ok(reply) => Ok(reply.body().deserialize().unwrap()),
            Err(zbus::Error::MethodError(name, _, _)) => Err(name.as_str().rsplit('.').next().unwrap().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn submit(&self, words: &[&str]) -> Result<OwnedObjectPath, String> {
        self.call(OBJECT, NAME, "Submit", &asked(words)).await
    }

    async fn result(&self, request: &OwnedObjectPath) -> Result<Answered, String> {
        self.call(request.as_str(), "org.countersign.Broker1.Request", "Result", &()).await
    }
}

fn asked<'a>(words: &[&'a str]) -> Asked<'a> {
    HashMap::from([("argv", Variant::from(words.to_vec()))])
}

fn text(answered: &Answered, key: &str) -> String {
    answered[key].downcast_ref::<&str>().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_is_who_the_bus_says_and_gets_its_result() {
    let town = Town::new().await;
    let client = town.client().await;
    let request = client.submit(&["echo", "hello"]).await.unwrap();
    let result = client.result(&request).await.unwrap();
    assert_eq!((text(&result, "ended").as_str(), text(&result, "tier").as_str()), ("exited", "T0"));
    assert_eq!(result["status"].downcast_ref::<i32>().unwrap(), 0);
    let record = town.stage.records().remove(0);
    let asker = record.caller.unwrap();
    assert_eq!((asker.uid.get(), asker.pid), (rustix::process::getuid().as_raw(), std::process::id()));
    assert_eq!(asker.bus_name, client.0.unique_name().unwrap().as_str());
    assert!(!asker.gids.is_empty() && asker.start_time > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_failure_has_its_name_on_the_bus() {
    let town = Town::new().await;
    let client = town.client().await;
    let with = |key, value| HashMap::from([("argv", Variant::from(vec!["echo"])), (key, value)]);
    for (request, error) in [
        (with("uid", Variant::from(0_u32)), "InvalidRequest"),
        (with("cwd", Variant::from("relative")), "InvalidRequest"),
        (with("stdin", Variant::from("text")), "InvalidRequest"),
        (HashMap::from([("argv", Variant::from(1_i32))]), "InvalidRequest"),
        (asked(&["missing"]), "LaunchFailed"),
        (asked(&["destroy"]), "ModeCeiling"),
        (with("max_tier", Variant::from("T9")), "InvalidRequest"),
    ] {
        let answered: Result<OwnedObjectPath, String> = client.call(OBJECT, NAME, "Submit", &request).await;
        assert_eq!(answered.unwrap_err(), error, "{request:?}");
    }
    let phases = town.stage.log();
    assert_eq!(phases.len(), 7, "one record each: {phases:?}");
    let approvals = "org.countersign.Broker1.Approvals";
    let unknown: Result<(), _> = client.call(OBJECT, approvals, "Approve", &("0".repeat(32), "")).await;
    assert_eq!(unknown.unwrap_err(), "NoSuchRequest");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_is_one_request_with_every_step_in_its_answers() {
    let town = Town::new().await;
    let client = town.client().await;
    let bundle = |lines: &[&[&'static str]]| {
        HashMap::from([("steps", Variant::from(lines.iter().map(|words| asked(words)).collect::<Vec<_>>()))])
    };
    let steps = |answered: &Answered| -> Vec<Answered> { answered["steps"].try_clone().unwrap().try_into().unwrap() };
    let two = bundle(&[&["echo", "one"], &["echo", "two"]]);
    let plan: Answered = client.call(OBJECT, NAME, "Plan", &two).await.unwrap();
    assert_eq!((text(&plan, "verdict").as_str(), steps(&plan).len()), ("allow", 2));
    let request: OwnedObjectPath = client.call(OBJECT, NAME, "Submit", &two).await.unwrap();
    let result = client.result(&request).await.unwrap();
    assert_eq!((text(&result, "ended").as_str(), result["status"].downcast_ref::<i32>().unwrap()), ("exited", 0));
    let previews: Vec<Vec<u8>> =
        steps(&result).iter().map(|step| step["stdout"].try_clone().unwrap().try_into().unwrap()).collect();
    assert_eq!(previews, [b"one", b"two"]);
    let receipt: countersign_core::receipt::BundleReceipt = serde_json::from_str(&text(&result, "receipt")).unwrap();
    assert_eq!(
        (receipt.bundle.digest().unwrap(), receipt.digest.to_string()),
        (receipt.digest, text(&result, "digest"))
    );
    let held = bundle(&[&["echo", "one"], &["change", "password=hunter2"]]);
    let request: OwnedObjectPath = client.call(OBJECT, NAME, "Submit", &held).await.unwrap();
    let id = request.as_str().rsplit('/').next().unwrap().to_owned();
    let shown: Answered = client.call(OBJECT, "org.countersign.Broker1.Approvals", "Show", &id).await.unwrap();
    assert_eq!((text(&shown, "tier").as_str(), text(&shown, "phase").as_str()), ("T2", "waiting"));
    assert_eq!(text(&shown, "command"), "2 steps: echo one; change 'password=[REDACTED]'");
    assert_eq!(steps(&shown).iter().map(|step| text(step, "tier")).collect::<Vec<_>>(), ["T0", "T2"]);
    let denied: Result<OwnedObjectPath, _> =
        client.call(OBJECT, NAME, "Submit", &bundle(&[&["echo"], &["destroy"]])).await;
    assert_eq!(denied.unwrap_err(), "ModeCeiling");
    let one: Result<OwnedObjectPath, _> = client.call(OBJECT, NAME, "Submit", &bundle(&[&["echo"]])).await;
    assert_eq!(one.unwrap_err(), "InvalidRequest");
}

/// The codes of what stands in the way of a plan, if the answer says so at all.
fn against(answered: &Answered) -> Option<Vec<String>> {
    let all: Vec<(String, String)> = answered.get("against")?.try_clone().unwrap().try_into().unwrap();
    Some(all.into_iter().map(|(code, _)| code).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_all_that_is_in_its_way_to_who_asks_for_all() {
    let town = Town::new().await;
    let client = town.client().await;
    for (all, words, expected) in [
        (false, &["destroy"], None),
        (true, &["destroy"], Some(vec!["ModeCeiling".to_owned()])),
        (true, &["change"], Some(vec!["NeedsApproval".to_owned()])),
        (true, &["echo"], Some(vec![])),
    ] {
        let mut request = asked(words);
        if all {
            request.insert("all", Variant::from(true));
        }
        let plan: Answered = client.call(OBJECT, NAME, "Plan", &request).await.unwrap();
        assert_eq!(against(&plan), expected, "{words:?}");
        let submitted: Result<OwnedObjectPath, _> = client.call(OBJECT, NAME, "Submit", &request).await;
        assert_eq!(submitted.err().as_deref() == Some("InvalidRequest"), all, "it is for a plan alone");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sees_a_request_sees_who_approved_it_and_how_many_it_takes() {
    let town = Town::new().await;
    let client = town.client().await;
    let request = client.submit(&["change"]).await.unwrap();
    let id = request.as_str().rsplit('/').next().unwrap().to_owned();
    let show = || client.call::<_, Answered>(OBJECT, "org.countersign.Broker1.Approvals", "Show", &id);
    let seen = |shown: &Answered| {
        let number = |key: &str| shown[key].downcast_ref::<u32>().unwrap();
        let who: Vec<(u32, String, String)> = shown["approvers"].try_clone().unwrap().try_into().unwrap();
        (number("approvals"), number("approvals_needed"), who)
    };
    assert_eq!(seen(&show().await.unwrap()), (0, 1, vec![]));
    let [ticket] = <[_; 1]>::try_from(town.stage.pipeline.tickets.unfinished()).unwrap();
    assert!(ticket.slot.give(crate::pipeline::tests::stage::yes()));
    crate::pipeline::tests::stage::until(&ticket, Phase::Running).await;
    let root = (0, "root".to_owned(), "challenge".to_owned());
    assert_eq!(seen(&show().await.unwrap()), (1, 1, vec![root]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_huge_dictionary_is_refused_without_being_read() {
    let town = Town::new().await;
    let client = town.client().await;
    let keys: Vec<String> = (0..100_000).map(|at| format!("k{at}")).collect();
    let huge: Asked<'_> = keys.iter().map(|key| (key.as_str(), Variant::from("x"))).collect();
    let begun = Instant::now();
    let answered: Result<OwnedObjectPath, String> = client.call(OBJECT, NAME, "Submit", &huge).await;
    assert_eq!(answered.unwrap_err(), "InvalidRequest");
    assert!(begun.elapsed() < PATIENCE / 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_at_any_moment_leaves_nothing_behind() {
    let town = Town::new().await;
    for round in 0..400_u64 {
        let client = town.client().await;
        let body = asked(if round % 2 == 0 { &["change"] } else { &["wait"] });
        let call = client.call::<_, OwnedObjectPath>(OBJECT, NAME, "Submit", &body);
        // Gone before the message was read, while the caller is proven, while it is judged, after the answer.
        drop(timeout(Duration::from_micros(round * 20), call).await);
        client.0.close().await.unwrap();
    }
    town.settle().await;
    let last = town.client().await;
    let request = last.submit(&["echo", "still here"]).await.unwrap();
    assert_eq!(text(&last.result(&request).await.unwrap(), "ended"), "exited");
    let approved = town.stage.records().iter().any(|record| !record.approvers.is_empty());
    assert!(!approved, "nothing was approved, so nothing that waits ran");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_ends_with_its_caller() {
    let town = Town::new().await;
    let client = town.client().await;
    client.submit(&["wait"]).await.unwrap();
    let [ticket] = <[_; 1]>::try_from(town.stage.pipeline.tickets.unfinished()).unwrap();
    crate::pipeline::tests::stage::until(&ticket, Phase::Running).await;
    client.0.close().await.unwrap();
    town.settle().await;
    assert_eq!(town.stage.launcher.asked(), ["pin", "run", "cancel"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_hears_how_far_and_nothing_else() {
    let town = Town::new().await;
    let (client, other) = (town.client().await, town.client().await);
    let rule = MatchRule::builder().msg_type(zbus::message::Type::Signal).sender(NAME).build().unwrap();
    let mut heard = MessageStream::for_match_rule(rule, &other.0, None).await.unwrap();
    let request = client.submit(&["echo", "a secret"]).await.unwrap();
    client.result(&request).await.unwrap();
    let next = poll_fn(|context| Pin::new(&mut heard).poll_next(context));
    let signal = timeout(PATIENCE, next).await.unwrap().unwrap().unwrap();
    let (id, phase, tier): (String, String, String) = signal.body().deserialize().unwrap();
    assert!(request.as_str().ends_with(&id));
    assert_eq!((phase.as_str(), tier.as_str()), ("running", Tier::T0.name()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_reaches_whoever_ends_the_broker() {
    let town = Town::new().await;
    let client = town.client().await;
    let hear = async { format!("{:?}", town.stops.lock().await.recv().await.unwrap()) };
    let stop = client.call::<_, ()>(OBJECT, NAME, "Stop", &"enough");
    let (said, answered) = tokio::join!(hear, stop);
    assert_eq!(answered.unwrap_err(), "Stopped", "nobody said that it was done");
    assert!(said.contains("enough") && said.contains("uid "), "{said}");
}
