//! Drives the real launcher over a real socket, in a copy of this machine that vanishes.
//!
//! What enters: command lines and a profile. What leaves: outcomes and output, as the front would get them. The copy is
//! an overlay over the root file system with nothing written through, in a mount namespace and a cgroup of its own; the
//! kernel, the steps and the programs are the real ones.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{IoSlice, Read as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use countersign_core::approval::{Approval, ApprovalKind, Approver, Permission};
use countersign_core::argv::Argv;
use countersign_core::bundle::Bundle;
use countersign_core::caller::Uid;
use countersign_core::code::Failure;
use countersign_core::digest::Digest;
use countersign_core::environment::Environment;
use countersign_core::message::{CancelCause, FromLauncher, MAX_BYTES, StopNote, ToLauncher};
use countersign_core::order::Claim;
use countersign_core::outcome::{Ended, Outcome};
use countersign_core::path::CleanPath;
use countersign_core::plan::{Pinned, Plan, PlanCaller, VERSION};
use countersign_core::policy::Policy;
use countersign_core::profile::ProfileName;
use countersign_core::request::{Action, RequestId, classify_action};
use countersign_core::salt::Salt;
use countersign_core::tier::{Ruling, Tier};
use countersign_core::time::Moment;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags};

// Named, because a measurement uses this file from another directory.
#[path = "tree.rs"]
mod tree;

use tree::write_tree;

static NEXT: AtomicU32 = AtomicU32::new(1);
const CALLER: u32 = 4_242;
/// Longer than anything here takes, shorter than a hang.
const PATIENCE: Duration = Duration::from_secs(20);

const START: &str = r#"
set -e
mount -t tmpfs tmpfs "$T/layer"
mkdir "$T/layer/upper" "$T/layer/work" "$T/layer/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$T/layer/upper,workdir=$T/layer/work" "$T/layer/root"
R="$T/layer/root"
mount --rbind /proc "$R/proc"; mount --rbind /sys "$R/sys"; mount --rbind /dev "$R/dev"
mount -t tmpfs tmpfs "$R/run"; mount -t tmpfs -o mode=1777 tmpfs "$R/tmp"
cp -a "$T/tree/." "$R/"
if [ -e "$T/before.sh" ]; then ( cd "$R" && . "$T/before.sh" ); fi
echo $$ > "$T/cgroup/cgroup.procs"
exec 3<&0 </dev/null
mkdir -p "$R/mnt/old"; cd "$R"; pivot_root . mnt/old; umount -l /mnt/old
exec /launcher
"#;

/// A running launcher.
pub(crate) struct Launcher {
    scratch: PathBuf,
    cgroup: PathBuf,
    process: Child,
    socket: OwnedFd,
    pub(crate) policy: Policy,
    pub(crate) cleared: Option<StopNote>,
    pub(crate) stash: Vec<FromLauncher>,
}

/// How a command line is asked for.
#[derive(Clone)]
pub(crate) struct Ask {
    pub(crate) words: Vec<String>,
    pub(crate) cwd: String,
    pub(crate) profile: Option<&'static str>,
    pub(crate) stdin: Option<Vec<u8>>,
    pub(crate) timeout_ms: Option<u64>,
    pub(crate) env: BTreeMap<String, String>,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) outcome: Outcome,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A job that was started and is not waited for yet.
pub(crate) struct Running {
    pub(crate) id: RequestId,
    stdout: File,
    stderr: File,
}

pub(crate) fn words(line: &[&str]) -> Ask {
    Ask {
        words: line.iter().map(|word| (*word).to_owned()).collect(),
        cwd: "/".to_owned(),
        profile: None,
        stdin: None,
        timeout_ms: None,
        env: BTreeMap::new(),
    }
}

/// A text that the classifier does not look through, so that it may run in any profile.
pub(crate) fn shell(profile: &'static str, text: &str) -> Ask {
    words(&["sh", "-c", "eval \"$0\"", text]).within(profile)
}

impl Ask {
    pub(crate) fn within(mut self, profile: &'static str) -> Self {
        self.profile = Some(profile);
        self
    }

    pub(crate) fn at(mut self, cwd: &str) -> Self {
        self.cwd = cwd.to_owned();
        self
    }

    pub(crate) fn timeout(mut self, ms: u64) -> Self {
        self.timeout_ms = Some(ms);
        self
    }

    pub(crate) fn stdin(mut self, bytes: &[u8]) -> Self {
        self.stdin = Some(bytes.to_vec());
        self
    }

    pub(crate) fn action(&self) -> Action {
        Action {
            argv: Argv::new(self.words.clone()).unwrap(),
            cwd: CleanPath::new(&self.cwd).unwrap(),
            env: Environment::new(self.env.clone()).unwrap(),
            stdin: self.stdin.as_ref().map(|bytes| Digest::of(bytes)),
            timeout_ms: self.timeout_ms,
        }
    }
}

pub(crate) fn now() -> Moment {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Moment::from_millis(u64::try_from(since.as_millis()).unwrap())
}

impl Launcher {
    pub(crate) fn start() -> Self {
        Self::start_after("")
    }

    /// Starts after the shell text was run in the root of the copy.
    pub(crate) fn start_after(before: &str) -> Self {
        let mut launcher = Self::begin(before);
        match launcher.next() {
            Some(FromLauncher::Ready { ruleset, cleared, handovers: _ }) => {
                assert_eq!(ruleset, launcher.policy.ruleset(), "both sides load the same policy");
                launcher.cleared = cleared;
            }
            other => panic!("not ready: {other:?}"),
        }
        launcher
    }

    /// Starts with these settings.
    pub(crate) fn start_with(settings: &str) -> Self {
        let mut launcher = Self::begin_with("", settings);
        assert!(matches!(launcher.next(), Some(FromLauncher::Ready { .. })));
        launcher
    }

    pub(crate) fn begin(before: &str) -> Self {
        Self::begin_with(before, "mode = 'open'\n")
    }

    #[expect(clippy::disallowed_methods, reason = "this is a test that starts the launcher as the front does")]
    fn begin_with(before: &str, settings: &str) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("countersign-test-{}-{number}", std::process::id());
        let scratch = PathBuf::from("/run").join(&name);
        let cgroup = unified().join(&name);
        fs::create_dir_all(scratch.join("layer")).unwrap();
        fs::create_dir(&cgroup).unwrap();
        std::os::unix::fs::symlink(&cgroup, scratch.join("cgroup")).unwrap();
        write_tree(&scratch.join("tree"), settings);
        fs::write(scratch.join("before.sh"), before).unwrap();
        let policy = countersign_config::load(&scratch.join("tree")).unwrap();
        let (ours, theirs) = rustix::net::socketpair(
            rustix::net::AddressFamily::UNIX,
            rustix::net::SocketType::SEQPACKET,
            rustix::net::SocketFlags::CLOEXEC,
            None,
        )
        .unwrap();
        let process = Command::new("unshare")
            .args(["--mount", "--propagation", "private", "sh", "-c", START])
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("T", &scratch)
            .stdin(Stdio::from(theirs))
            .spawn()
            .unwrap();
        Self { scratch, cgroup, process, socket: ours, policy, cleared: None, stash: Vec::new() }
    }

    pub(crate) fn send(&self, message: &ToLauncher<Claim>, files: &[BorrowedFd<'_>]) {
        self.send_bytes(&serde_json::to_vec(message).unwrap(), files);
    }

    pub(crate) fn send_bytes(&self, bytes: &[u8], files: &[BorrowedFd<'_>]) {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
        let mut beside = SendAncillaryBuffer::new(&mut space);
        if !files.is_empty() {
            assert!(beside.push(SendAncillaryMessage::ScmRights(files)));
        }
        rustix::net::sendmsg(&self.socket, &[IoSlice::new(bytes)], &mut beside, SendFlags::NOSIGNAL).unwrap();
    }

    /// The next message; nothing at the end of the socket.
    pub(crate) fn next(&mut self) -> Option<FromLauncher> {
        let mut wait = [rustix::event::PollFd::new(&self.socket, rustix::event::PollFlags::IN)];
        let patience = rustix::event::Timespec { tv_sec: i64::try_from(PATIENCE.as_secs()).unwrap(), tv_nsec: 0 };
        assert_ne!(rustix::event::poll(&mut wait, Some(&patience)).unwrap(), 0, "the launcher says nothing");
        let mut buffer = vec![0; MAX_BYTES];
        let (length, _) = rustix::net::recv(&self.socket, buffer.as_mut_slice(), RecvFlags::empty()).unwrap();
        (length > 0).then(|| serde_json::from_slice(&buffer[..length]).unwrap())
    }

    pub(crate) fn pin(&mut self, ask: &Ask) -> Result<Pinned, Failure> {
        let id = fresh_id();
        let action = ask.action();
        self.send(&ToLauncher::Pin { id, argv: action.argv, cwd: action.cwd }, &[]);
        match self.next() {
            Some(FromLauncher::Pinned { id: answered, result }) if answered == id => result.map(|pinned| *pinned),
            other => panic!("not pinned: {other:?}"),
        }
    }

    /// The plan as the front would draw it.
    pub(crate) fn plan(&mut self, ask: &Ask) -> Result<Plan, Failure> {
        let pinned = self.pin(ask)?;
        Ok(self.plan_pinned(ask, pinned))
    }

    pub(crate) fn plan_pinned(&self, ask: &Ask, pinned: Pinned) -> Plan {
        let action = ask.action();
        let classification = classify_action(self.policy.rules(), &action);
        let profile = ask.profile.map_or(classification.profile, |name| ProfileName::new(name).unwrap());
        let tier = match classification.ruling {
            Ruling::Tier(tier) => tier,
            Ruling::Deny => Tier::T3,
        };
        Plan {
            version: VERSION,
            id: fresh_id(),
            salt: Salt::from_random([7; 16]),
            action,
            pinned,
            profile_digest: self.policy.profiles().get(&profile).unwrap().digest().unwrap(),
            profile,
            tier,
            targets: classification.targets,
            ruleset: self.policy.ruleset(),
            mode: self.policy.settings().mode,
            caller: PlanCaller {
                uid: Uid::try_from(CALLER).unwrap(),
                gids: vec![],
                bus_name: ":1.7".to_owned().try_into().unwrap(),
            },
            expires: now().after(Duration::from_secs(60)),
        }
    }

    /// Sends an order and returns the answer.
    pub(crate) fn order(&mut self, claim: Claim, stdin: Option<&OwnedFd>) -> Result<Running, Failure> {
        let id = claim.plan.id;
        let (stdout, stdout_w) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        let (stderr, stderr_w) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        let files: Vec<BorrowedFd<'_>> =
            [Some(&stdout_w), Some(&stderr_w), stdin].into_iter().flatten().map(|fd| fd.as_fd()).collect();
        self.send(&ToLauncher::Run { order: Box::new(claim) }, &files);
        loop {
            match self.next() {
                Some(FromLauncher::Started { id: answered }) if answered == id => {
                    return Ok(Running { id, stdout: stdout.into(), stderr: stderr.into() });
                }
                Some(FromLauncher::Refused { id: answered, failure }) if answered == id => return Err(failure),
                Some(other) => self.stash.push(other),
                None => panic!("the launcher ended"),
            }
        }
    }

    pub(crate) fn start_job(&mut self, ask: &Ask) -> Result<Running, Failure> {
        let plan = self.plan(ask)?;
        let stdin = ask.stdin.as_ref().map(|bytes| memory_file(bytes));
        self.order(approved(plan), stdin.as_ref())
    }

    pub(crate) fn run(&mut self, ask: &Ask) -> Ran {
        let running = self.start_job(ask).unwrap_or_else(|failure| panic!("refused: {failure}"));
        self.wait(running)
    }

    pub(crate) fn wait(&mut self, running: Running) -> Ran {
        let Running { id, mut stdout, mut stderr } = running;
        let reader = std::thread::Builder::new()
            .spawn(move || {
                let mut text = Vec::new();
                stderr.read_to_end(&mut text).unwrap();
                String::from_utf8_lossy(&text).into_owned()
            })
            .unwrap();
        let mut text = Vec::new();
        stdout.read_to_end(&mut text).unwrap();
        let outcome = self.ended(id);
        Ran { outcome, stdout: String::from_utf8_lossy(&text).into_owned(), stderr: reader.join().unwrap() }
    }

    pub(crate) fn ended(&mut self, id: RequestId) -> Outcome {
        loop {
            let found = self
                .stash
                .iter()
                .position(|message| matches!(message, FromLauncher::Ended { id: ended, .. } if *ended == id));
            if let Some(FromLauncher::Ended { outcome, .. }) = found.map(|position| self.stash.remove(position)) {
                return *outcome;
            }
            let message = self.next().expect("the launcher ended");
            self.stash.push(message);
        }
    }

    pub(crate) fn cancel(&self, id: RequestId, cause: CancelCause) {
        self.send(&ToLauncher::Cancel { id, cause }, &[]);
    }

    /// The copy's root, as the launcher sees it.
    pub(crate) fn root(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root", self.pid()))
    }

    /// `unshare` and the shell became the launcher.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn cgroup(&self) -> &Path {
        &self.cgroup
    }

    /// Every process below the launcher's cgroup, the launcher itself included.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let mut found = pids(&self.cgroup);
        for entry in fs::read_dir(&self.cgroup).unwrap().flatten() {
            if entry.path().is_dir() {
                found.extend(pids(&entry.path()));
            }
        }
        found
    }

    /// Hangs up and waits for the launcher to end.
    pub(crate) fn hang_up(mut self) -> (std::process::ExitStatus, Vec<u32>) {
        let (dead, _) = rustix::net::socketpair(
            rustix::net::AddressFamily::UNIX,
            rustix::net::SocketType::SEQPACKET,
            rustix::net::SocketFlags::CLOEXEC,
            None,
        )
        .unwrap();
        self.socket = dead;
        let status = self.process.wait().unwrap();
        (status, self.processes())
    }

    pub(crate) fn wait_for_end(&mut self) -> std::process::ExitStatus {
        self.process.wait().unwrap()
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        fs::write(self.cgroup.join("cgroup.kill"), "1").ok();
        self.process.kill().ok();
        self.process.wait().ok();
        for _ in 0..100 {
            for entry in fs::read_dir(&self.cgroup).into_iter().flatten().flatten() {
                fs::remove_dir(entry.path()).ok();
            }
            if fs::remove_dir(&self.cgroup).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        fs::remove_dir_all(&self.scratch).ok();
    }
}

/// With a yes that the launcher must believe.
pub(crate) fn approved(plan: Plan) -> Claim {
    let digest = plan.digest().unwrap();
    let approval = Approval {
        id: fresh_id(),
        digest,
        approvers: vec![Approver { uid: Uid::ROOT, kind: ApprovalKind::Challenge, latency_ms: 1 }],
        granted: now(),
        expires: now().after(Duration::from_secs(60)),
    };
    Claim { plan, digest, permission: Permission::Human(approval), step: None, sealed: now() }
}

/// The steps of a bundle of these plans, with a yes to the whole that the launcher must believe.
pub(crate) fn steps(plans: &[Plan]) -> Vec<Claim> {
    let drawn: Vec<_> = plans.iter().map(|plan| (plan.clone(), plan.digest().unwrap())).collect();
    let (bundle, whole) = Bundle::draw(fresh_id(), &drawn).unwrap();
    let Permission::Human(approval) = approved(drawn[0].0.clone()).permission else { unreachable!() };
    let permission = Permission::Human(Approval { digest: whole, ..approval });
    let claim = |(step, (plan, digest))| Claim {
        plan,
        digest,
        permission: permission.clone(),
        step: Some(step),
        sealed: now(),
    };
    bundle.each().zip(drawn).map(claim).collect()
}

/// Without one.
pub(crate) fn unasked(plan: Plan) -> Claim {
    let digest = plan.digest().unwrap();
    Claim { plan, digest, permission: Permission::Grant, step: None, sealed: now() }
}

pub(crate) fn fresh_id() -> RequestId {
    let unique = u128::from(NEXT.fetch_add(1, Ordering::Relaxed));
    RequestId::from_random((u128::from(std::process::id()) << 64) | unique)
}

pub(crate) fn memory_file(bytes: &[u8]) -> OwnedFd {
    let file = unsealed_file(bytes);
    let seals = rustix::fs::SealFlags::WRITE | rustix::fs::SealFlags::SHRINK | rustix::fs::SealFlags::GROW;
    rustix::fs::fcntl_add_seals(&file, seals).unwrap();
    file
}

pub(crate) fn unsealed_file(bytes: &[u8]) -> OwnedFd {
    let flags = rustix::fs::MemfdFlags::CLOEXEC | rustix::fs::MemfdFlags::ALLOW_SEALING;
    let file = rustix::fs::memfd_create(c"stdin", flags).unwrap();
    rustix::io::write(&file, bytes).unwrap();
    file
}

impl Ran {
    pub(crate) fn status(&self) -> Option<u8> {
        match self.outcome.ended {
            Ended::Exited(status) => Some(status),
            Ended::Signalled(_)
            | Ended::TimedOut
            | Ended::Cancelled
            | Ended::Stopped
            | Ended::OutputLimit
            | Ended::NotConfined { .. }
            | Ended::Interrupted => None,
        }
    }

    pub(crate) fn layer(&self, step: &str) -> &str {
        let found = self.outcome.enforced.iter().find(|layer| layer.step == step);
        found.map_or_else(|| panic!("no layer {step}: {:?}", self.outcome), |layer| layer.gives.as_str())
    }
}

fn pids(cgroup: &Path) -> Vec<u32> {
    let text = fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

fn unified() -> PathBuf {
    let hybrid = Path::new("/sys/fs/cgroup/unified");
    if hybrid.exists() { hybrid.to_owned() } else { PathBuf::from("/sys/fs/cgroup") }
}
