//! A launcher for tests of the pipeline's order: it runs nothing, and writes down what it was asked.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write as _;
use std::sync::{Arc, Mutex};

use countersign_core::argv::Argv;
use countersign_core::checkpoint::Checkpoint;
use countersign_core::code::{Code, Failure};
use countersign_core::digest::Digest;
use countersign_core::message::{CancelCause, StopNote, Unsigned};
use countersign_core::note::{Name, SigningKey};
use countersign_core::order::Order;
use countersign_core::outcome::{Ended, Outcome};
use countersign_core::path::CleanPath;
use countersign_core::plan::{Pinned, PinnedDirectory, PinnedFile};
use countersign_core::policy::Ruleset;
use countersign_core::request::RequestId;
use countersign_core::tree::{Proof, TreeHead, verify_consistency};
use tokio::sync::oneshot;

use super::{Job, JobFiles, Launcher, Soon};
use crate::clock;
use crate::lock::lock;

/// Jobs stay until they are ended here; `echo` writes its words and exits at once, `missing` is not there.
#[derive(Debug, Default)]
pub(crate) struct Sim {
    pub(crate) asked: Mutex<Vec<String>>,
    /// What was signed last.
    pub(crate) signed: Mutex<Option<TreeHead>>,
    /// Whether the key cannot be used.
    pub(crate) keyless: Mutex<bool>,
    jobs: Mutex<HashMap<RequestId, (oneshot::Sender<Outcome>, JobFiles)>>,
}

impl Sim {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        lock(&self.asked).clone()
    }

    fn note(&self, what: &str) {
        lock(&self.asked).push(what.to_owned());
    }

    /// The job of this request exits with status 0, if it still runs.
    pub(crate) fn finish(&self, id: RequestId) {
        self.end(id, Ended::Exited(0));
    }

    /// The job of this request exits with status 1, if it still runs.
    pub(crate) fn fail(&self, id: RequestId) {
        self.end(id, Ended::Exited(1));
    }

    /// Every job is gone and nobody says how.
    pub(crate) fn die(&self) {
        lock(&self.jobs).clear();
    }

    /// How many jobs run.
    pub(crate) fn running(&self) -> usize {
        lock(&self.jobs).len()
    }

    fn end(&self, id: RequestId, ended: Ended) {
        if let Some((tell, _)) = lock(&self.jobs).remove(&id) {
            tell.send(outcome(ended)).ok();
        }
    }
}

fn outcome(ended: Ended) -> Outcome {
    Outcome { ended, enforced: vec![], started: clock::now(), duration_us: 1, cpu_us: 1, peak_kib: 1 }
}

/// The key of the log in tests.
pub(crate) fn key() -> SigningKey {
    SigningKey::from_seed(Name::new("test/countersign").unwrap(), &[3; 32])
}

pub(crate) fn pinned() -> Pinned {
    let path = || CleanPath::new("/bin/echo").unwrap();
    let executable = PinnedFile { path: path(), device: 1, inode: 2, size: 3, modified_ns: 4, sha256: Digest::ZERO };
    Pinned {
        executable,
        interpreter: None,
        cwd: PinnedDirectory { path: CleanPath::new("/").unwrap(), device: 1, inode: 2 },
    }
}

impl Launcher for Sim {
    fn pin<'a>(&'a self, _: RequestId, argv: &'a Argv, _: &'a CleanPath) -> Soon<'a, Result<Pinned, Failure>> {
        self.note("pin");
        let missing = argv.program() == "missing";
        Box::pin(async move {
            if missing { Err(Failure::new(Code::LaunchFailed, "It is not there.")) } else { Ok(pinned()) }
        })
    }

    fn run(&self, order: Order, files: JobFiles) -> Soon<'_, Result<Job, Failure>> {
        self.note("run");
        let (tell, wait) = oneshot::channel();
        let plan = order.plan();
        if plan.action.argv.program() == "echo" {
            let words = plan.action.argv.words();
            File::from(files.stdout).write_all(words[1..].join(" ").as_bytes()).unwrap();
            tell.send(outcome(Ended::Exited(0))).unwrap();
        } else {
            lock(&self.jobs).insert(plan.id, (tell, files));
        }
        Box::pin(async move { Ok(Job::new(wait)) })
    }

    fn cancel(&self, id: RequestId, cause: CancelCause) -> Soon<'_, ()> {
        self.note("cancel");
        self.end(id, if cause == CancelCause::Cancelled { Ended::Cancelled } else { Ended::OutputLimit });
        Box::pin(async {})
    }

    fn stop(&self, _: StopNote) -> Soon<'_, Result<(), Failure>> {
        self.note("stop");
        let ids: Vec<RequestId> = lock(&self.jobs).keys().copied().collect();
        ids.into_iter().for_each(|id| self.end(id, Ended::Stopped));
        Box::pin(async { Ok(()) })
    }

    fn drain(&self) -> Soon<'_, ()> {
        self.note("drain");
        Box::pin(async {})
    }

    fn reload(&self, expects: Ruleset) -> Soon<'_, Result<Ruleset, Failure>> {
        Box::pin(async move { Ok(expects) })
    }

    /// Signs as the real one does, but remembers nothing longer than itself.
    fn sign(&self, base: u64, head: TreeHead, proof: Proof) -> Soon<'_, Result<String, Unsigned>> {
        self.note("sign");
        let mut last = lock(&self.signed);
        let signed = last.unwrap_or_else(TreeHead::empty);
        let result = if *lock(&self.keyless) {
            Err(Unsigned::Unavailable)
        } else if base != signed.size {
            Err(Unsigned::Base { signed })
        } else if verify_consistency(&signed, &head, &proof).is_err() {
            Err(Unsigned::Rewritten { signed })
        } else {
            *last = Some(head);
            let note = Checkpoint::new(key().verifier().name().clone(), head).sign(&key());
            Ok(note.unwrap().to_string())
        };
        Box::pin(async { result })
    }

    fn gone(&self) -> Soon<'_, ()> {
        Box::pin(std::future::pending())
    }
}
