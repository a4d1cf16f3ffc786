//! A pipeline with a real log, a real policy and a launcher that runs nothing.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Mutex;
use std::time::Duration;

use countersign_audit::{Direction, Log};
use countersign_core::approval::ApprovalKind;
use countersign_core::approval::Approver;
use countersign_core::argv::Argv;
use countersign_core::caller::{BusName, Uid};
use countersign_core::classify::{Origin, RuleFile};
use countersign_core::path::CleanPath;
use countersign_core::policy::{Grants, Names, Sources, TextFile};
use countersign_core::record::{Draft, Record, Stamp};
use countersign_core::request::{Action, Claims, Narrowing};
use tempfile::TempDir;
use tokio::sync::watch;
use zbus::message::Message;

use super::super::*;
use crate::approve::queue::Answer;
use crate::approve::words::Words;
use crate::approve::{Dialog, Matter, Reply};
use crate::ask::Asks;
use crate::clock::Boot;
use crate::launch::Soon;
use crate::launch::sim::Sim;
use crate::row::Row;

/// Programs of every sort that the tests need; `wait` stays until it is ended, `missing` is not there.
const RULES: &str = r#"
[[program]]
names = ["echo", "wait", "missing"]
must_match = ["echo x"]
must_not_match = ["echo --frobnicate"]
tier = "T0"
reason = "Reads."
operands = ["[<text>...]"]

[[program]]
names = ["tweak"]
must_match = ["tweak /srv/x"]
must_not_match = ["other"]
tier = "T1"
reason = "Changes a little."
operands = ["<write>..."]

[[program]]
names = ["change"]
must_match = ["change x"]
must_not_match = ["other"]
tier = "T2"
reason = "Changes."
operands = ["[<text>...]"]

[[program]]
names = ["destroy"]
must_match = ["destroy x"]
must_not_match = ["other"]
tier = "T3"
reason = "Destroys."
operands = ["[<text>...]"]

[[program]]
names = ["unpack"]
must_match = ["unpack x"]
must_not_match = ["other"]
tier = "T2"
reason = "Unpacks."
operands = ["[<text>...]"]
hosts = ["debian"]
checks = ["no-dpkg-lock"]
check = [{ spec = "unit-active helper", role = "soft" }, { spec = "unit-started app", role = "after" }]
form = [{ id = "list", tier = "T0", reason = "Lists.", operands = ["<=list>"] }]

[[program]]
names = ["raise"]
must_match = ["raise x"]
must_not_match = ["other"]
tier = "T2"
reason = "Raises."
operands = ["[<unit>...]"]
check = [{ spec = "unit-started <unit>", role = "after" }]
"#;
const PROFILES: [&str; 3] = [
    include_str!("../../../../../policy/profiles/observe.toml"),
    include_str!("../../../../../policy/profiles/change.toml"),
    include_str!("../../../../../policy/profiles/system.toml"),
];
pub(crate) const GRANTED: u32 = 1000;
pub(crate) const OTHER: u32 = 1001;
pub(crate) const UNGRANTED: u32 = 4000;

struct Nobody;

impl Names for Nobody {
    fn uid(&self, _: &str) -> Option<Uid> {
        None
    }
    fn gid(&self, _: &str) -> Option<countersign_core::caller::Gid> {
        None
    }
}

/// A policy with these settings.
pub(crate) fn policy(settings: &str) -> Arc<Policy> {
    granting(settings, "")
}

/// A policy with these settings, in which every grant says this too.
pub(crate) fn granting(settings: &str, more: &str) -> Arc<Policy> {
    let own = rustix::process::getuid().as_raw();
    let grant = |uid| format!("[[grant]]\nuid = {uid}\nceiling = 'T3'\n{more}\n");
    let grants: String = [GRANTED, OTHER, own].map(grant).concat();
    let file = |text| TextFile { name: "test.toml", text };
    let profiles = PROFILES.map(file);
    let sources = Sources {
        settings: &[file(settings)],
        grants: &[file(&grants)],
        rules: &[RuleFile { name: "test.toml", text: RULES, origin: Origin::Vendor }],
        profiles: &profiles,
        own_profiles: &[],
    };
    assert!(Grants::parse(sources.grants, &Nobody).is_ok());
    Arc::new(Policy::parse(&sources, &Nobody).unwrap())
}

/// People who answer as they were told to; who was told nothing waits until the question is over.
#[derive(Default)]
pub(crate) struct Script {
    replies: Mutex<VecDeque<Reply>>,
    pub(crate) asked: Mutex<Vec<(Matter, Words)>>,
    pub(crate) closed: Mutex<Vec<Matter>>,
}

impl Humans for Script {
    fn ask<'a>(
        &'a self,
        _: &'a Person,
        matter: Matter,
        words: &'a Words,
        _: Dialog,
        over: Soon<'a, ()>,
    ) -> Soon<'a, Reply> {
        lock(&self.asked).push((matter, words.clone()));
        let reply = lock(&self.replies).pop_front();
        Box::pin(async move {
            match reply {
                Some(reply) => reply,
                None => {
                    over.await;
                    lock(&self.closed).push(matter);
                    Reply::Gone
                }
            }
        })
    }
}

pub(crate) struct Stage {
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) launcher: Arc<Sim>,
    pub(crate) humans: Arc<Script>,
    pub(crate) news: Mutex<Option<mpsc::Receiver<News>>>,
    pub(crate) directory: TempDir,
}

/// A directory for a log.
pub(crate) fn log_in() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    directory
}

impl Stage {
    pub(crate) fn new(settings: &str) -> Self {
        Self::begin(log_in(), policy(settings), |_, _| vec![])
    }

    /// With the log in this directory.
    pub(crate) fn on(directory: TempDir) -> Self {
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        Self::begin(directory, policy(""), |_, _| vec![])
    }

    /// With grants that say this too.
    pub(crate) fn granting(settings: &str, more: &str) -> Self {
        Self::begin(log_in(), granting(settings, more), |_, _| vec![])
    }

    /// The broker ended, and another one goes on with the same log, policy and rules.
    pub(crate) async fn restarted(self) -> Self {
        self.pipeline.ledger.close().await;
        let policy = self.pipeline.policy();
        Self::begin(self.directory, policy, |stamp, recalled| {
            vec![Draft::start(stamp, "test").with_tainted(recalled.tainted.iter().copied().collect())]
        })
    }

    fn begin(directory: TempDir, policy: Arc<Policy>, first: impl FnOnce(&Stamp, &Recalled) -> Vec<Draft>) -> Self {
        let standing = Arc::new(Standing::new());
        let opened = Ledger::open(directory.path(), Boot::read().unwrap(), Arc::clone(&standing), &policy, &[], first);
        let (ledger, recalled) = opened.unwrap();
        let (launcher, humans) = (Sim::new(), Arc::new(Script::default()));
        let (tell, news) = mpsc::channel(64);
        let (sim, script): (Arc<dyn Launcher>, Arc<dyn Humans>) = (launcher.clone(), humans.clone());
        let pipeline = Arc::new(Pipeline::new(policy, sim, script, ledger, standing, recalled, tell));
        Self { pipeline, launcher, humans, news: Mutex::new(Some(news)), directory }
    }

    /// On a machine that was seen so.
    pub(crate) fn beside(mut self, conditions: Conditions) -> Self {
        Arc::get_mut(&mut self.pipeline).unwrap().conditions = conditions;
        self
    }

    /// Tells the next person asked how to answer.
    pub(crate) fn will_reply(&self, reply: Reply) {
        lock(&self.humans.replies).push_back(reply);
    }

    pub(crate) async fn submit(&self, uid: u32, words: &[&str]) -> Result<Arc<Ticket>, Failure> {
        self.pipeline.submit(&caller(uid), ask(words), None).await
    }

    pub(crate) async fn submit_in_place(&self, words: &[&str]) -> Result<Arc<Ticket>, Failure> {
        self.pipeline.submit(&caller(GRANTED), ask(words), Some(person(GRANTED))).await
    }

    /// The phases of the log's records, oldest first, with the code if there is one.
    pub(crate) fn log(&self) -> Vec<String> {
        let word = |record: &Record| {
            let phase = serde_json::to_value(record.phase).unwrap();
            let code = record.code.map(|code| format!(" {code}")).unwrap_or_default();
            format!("{}{code}", phase.as_str().unwrap())
        };
        self.records().iter().map(word).collect()
    }

    pub(crate) fn records(&self) -> Vec<Record> {
        let mut records = Vec::new();
        let log = Log::open(self.directory.path()).unwrap();
        let each = log.each(Direction::Forward, |entry| {
            records.push(Record::parse(&entry.body).unwrap());
            ControlFlow::Continue(())
        });
        each.unwrap();
        records
    }

    pub(crate) fn ran(&self) -> bool {
        self.launcher.asked().iter().any(|what| what == "run")
    }
}

pub(crate) fn caller(uid: u32) -> Caller {
    Caller {
        uid: Uid::try_from(uid).unwrap(),
        gids: vec![],
        bus_name: BusName::try_from(format!(":1.{uid}")).unwrap(),
        user: "somebody".to_owned(),
        pid: 1,
        start_time: 1,
        exe: None,
        unit: None,
        session: None,
        login_uid: None,
        security_label: None,
    }
}

/// A person can only be made from a message, here as there.
pub(crate) fn person(uid: u32) -> Person {
    let message = Message::method_call("/a", "Submit").sender(format!(":1.{uid}")).build(&()).unwrap();
    let (here, follow) = watch::channel(());
    std::mem::drop(tokio::spawn(async move { here.closed().await }));
    Person::sender_of(&message.header(), &caller(uid), follow).unwrap()
}

pub(crate) fn ask(words: &[&str]) -> Ask {
    let argv = Argv::new(words.iter().map(|word| (*word).to_owned()).collect()).unwrap();
    let action =
        Action { argv, cwd: CleanPath::new("/").unwrap(), env: Default::default(), stdin: None, timeout_ms: None };
    Ask {
        action,
        claims: Claims::default(),
        narrowing: Narrowing::default(),
        secrets: Default::default(),
        directory: None,
        detached: false,
        all: false,
        files: Files::default(),
    }
}

/// The steps of a bundle.
pub(crate) fn asks(lines: &[&[&str]]) -> Asks {
    Row::of(lines.iter().map(|words| ask(words))).unwrap()
}

pub(crate) fn yes() -> Answer {
    Answer::Yes(Approver { uid: Uid::ROOT, kind: ApprovalKind::Challenge, latency_ms: 1 })
}

/// The end of a request, which must come soon.
pub(crate) async fn end(ticket: &Ticket) -> Result<&crate::tickets::Ran, countersign_core::code::Code> {
    let end = tokio::time::timeout(Duration::from_secs(10), ticket.over()).await.unwrap().unwrap();
    end.result.as_ref().map_err(|failure| failure.code)
}

/// Waits until the request has come that far.
pub(crate) async fn until(ticket: &Ticket, phase: Phase) {
    for _ in 0..500 {
        if ticket.phase() >= phase {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{:?} never became {phase:?}", ticket.phase());
}
