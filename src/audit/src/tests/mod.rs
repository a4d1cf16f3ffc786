//! Tests on real databases in directories of their own. Here: the records that they write.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    reason = "a test may count, and panics anyway"
)]

mod backup;
mod damage;
mod flips;
mod forged;
mod full;
mod handover;
mod pages;
mod power;
mod segment;
mod signed;
mod store;
mod tree;
mod verify;
mod writer;

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroU64;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use countersign_core::approval::{Approval, ApprovalKind, Approved, Approver};
use countersign_core::argv::Argv;
use countersign_core::caller::{Caller, Gid, Uid};
use countersign_core::digest::Digest;
use countersign_core::environment::Environment;
use countersign_core::order::Order;
use countersign_core::path::CleanPath;
use countersign_core::plan::{Circumstances, Pinned, PinnedDirectory, PinnedFile, Plan};
use countersign_core::policy::{Names, Policy, Sources};
use countersign_core::record::{Draft, Entry, Stamp};
use countersign_core::request::{Action, Claims, Classified, Narrowing, Request, RequestId};
use countersign_core::run_state::RunState;
use countersign_core::salt::Salt;
use countersign_core::tier::Tier;
use countersign_core::time::Moment;
use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::{DATABASE, Log, Report, Store, StoreError, Trust};

/// More entries than a test writes.
pub(crate) const SEGMENT: NonZeroU64 = NonZeroU64::new(1_000_000).unwrap();

/// A state directory that goes away with the test.
pub(crate) struct State(tempfile::TempDir);

impl State {
    pub(crate) fn new() -> Self {
        // In memory: thousands of these are made, and what an fsync does is not what they are about.
        let directory = tempfile::tempdir_in("/dev/shm").unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).unwrap();
        Self(directory)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path().join(DATABASE)
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.path().join("audit.db-wal")
    }

    pub(crate) fn open(&self) -> Store {
        Store::open(self.path()).unwrap()
    }

    /// A closed log of these records.
    pub(crate) fn with(drafts: &[Draft]) -> Self {
        let state = Self::new();
        state.open().append(drafts).unwrap();
        state
    }

    /// Changes the database behind the log's back, past its triggers.
    pub(crate) fn forge(&self, sql: &str) {
        let connection = Connection::open(self.database()).unwrap();
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false).unwrap();
        connection.execute_batch(sql).unwrap();
    }
}

/// Verifies one log without knowing anything from elsewhere.
pub(crate) fn check(path: &Path) -> Result<Report, StoreError> {
    crate::verify(&[path], &Trust::default())
}

pub(crate) fn entries(log: &Log) -> Vec<Entry> {
    let mut all = Vec::new();
    log.each(crate::Direction::Forward, |entry| {
        all.push(entry);
        std::ops::ControlFlow::Continue(())
    })
    .unwrap();
    all
}

struct Nobody;

impl Names for Nobody {
    fn uid(&self, _name: &str) -> Option<Uid> {
        None
    }

    fn gid(&self, _name: &str) -> Option<Gid> {
        None
    }
}

fn policy() -> Policy {
    Policy::parse(&Sources { settings: &[], grants: &[], rules: &[], profiles: &[], own_profiles: &[] }, &Nobody)
        .unwrap()
}

pub(crate) fn stamp() -> Stamp {
    let policy = policy();
    Stamp {
        time: Moment::from_millis(1_700_000_000_123),
        boot_id: "9f1b2c3d".to_owned(),
        monotonic_ms: 5,
        state: RunState::Green,
        mode: policy.settings().mode,
        ruleset: policy.ruleset(),
    }
}

pub(crate) fn start() -> Draft {
    Draft::start(&stamp(), "0.1.0")
}

pub(crate) fn case(id: u128) -> Classified {
    case_in(id, BTreeMap::new())
}

/// With this environment, of which the record has the names and a commitment.
pub(crate) fn case_in(id: u128, environment: BTreeMap<String, String>) -> Classified {
    let action = Action {
        argv: Argv::new(vec!["systemctl".to_owned(), "restart".to_owned(), format!("unit-{id}")]).unwrap(),
        cwd: CleanPath::new("/").unwrap(),
        env: Environment::new(environment).unwrap(),
        stdin: None,
        timeout_ms: None,
    };
    let caller = Caller {
        uid: Uid::try_from(1000).unwrap(),
        gids: vec![],
        bus_name: ":1.42".to_owned().try_into().unwrap(),
        user: "agent".to_owned(),
        pid: 4_242,
        start_time: 99,
        exe: None,
        unit: None,
        session: None,
        login_uid: None,
        security_label: None,
    };
    let request = Request::new(
        RequestId::from_random(id),
        Salt::from_random(id.to_be_bytes()),
        caller,
        action,
        Claims::default(),
        Narrowing::default(),
        Default::default(),
    );
    request.unwrap().classify(policy().rules())
}

pub(crate) fn denied(id: u128) -> Draft {
    Draft::finished(&stamp(), &case(id)).with_error("no")
}

pub(crate) fn intent(id: u128) -> Draft {
    let case = case(id);
    let file = PinnedFile {
        path: CleanPath::new("/usr/bin/systemctl").unwrap(),
        device: 1,
        inode: 2,
        size: 3,
        modified_ns: 4,
        sha256: Digest::of(b"systemctl"),
    };
    let cwd = PinnedDirectory { path: CleanPath::new("/").unwrap(), device: 1, inode: 2 };
    let circumstances = Circumstances {
        pinned: Pinned { executable: file, interpreter: None, cwd },
        profile_digest: Digest::ZERO,
        tier: Tier::T2,
        ruleset: policy().ruleset(),
        mode: policy().settings().mode,
        expires: Moment::from_millis(1_000_000),
    };
    let (plan, digest) = Plan::draw(&case, circumstances).unwrap();
    let approver = Approver { uid: Uid::ROOT, kind: ApprovalKind::Challenge, latency_ms: 9 };
    let (granted, expires) = (Moment::from_millis(1), Moment::from_millis(2_000_000));
    let approval = Approval { id: RequestId::from_random(8), digest, approvers: vec![approver], granted, expires };
    let approved = Approved::by_human(approval, plan, digest).unwrap();
    let order = Order::seal(approved, &policy(), RunState::Green, Moment::from_millis(2)).unwrap();
    Draft::intent(&stamp(), &case, &order)
}

pub(crate) fn result(id: u128) -> Draft {
    intent(id).record().result(&stamp())
}

/// A small log of every sort: 6 entries, the fourth closing the second.
pub(crate) fn six() -> Vec<Draft> {
    vec![start(), intent(1), denied(2), result(1), intent(3), denied(4)]
}
