//! Real locks of other processes, real file systems, real files; systemd alone is played.

use std::io;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use countersign_core::condition::{Activity, Name as _, Package};
use countersign_core::digest::Digest;
use tempfile::TempDir;

use super::*;
use crate::launch::Soon;
use crate::lock::lock;

/// A process that holds the lock of a file until it is dropped, as dpkg does (`fcntl`, the whole file).
pub(crate) struct Holder(Child);

impl Holder {
    #[expect(clippy::disallowed_methods, reason = "a lock of one's own is no lock: another process must hold it")]
    pub(crate) fn of(path: &Path) -> Self {
        let holds = "import fcntl,sys; f=open(sys.argv[1],'r+'); fcntl.lockf(f,fcntl.LOCK_EX); print(flush=True); sys.stdin.read()";
        let mut python = Command::new("python3");
        python.args(["-c", holds]).arg(path).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = python.spawn().unwrap();
        let mut line = [0_u8];
        io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut line).unwrap();
        Self(child)
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Units that are as they were told to be; one of which nothing was told never answers.
#[derive(Default)]
pub(crate) struct Told(pub(crate) Mutex<Vec<(String, Option<UnitState>)>>);

impl Told {
    /// From now on the unit is so.
    pub(crate) fn say(&self, unit: &str, activity: Option<Activity>) {
        let state = activity.map(|activity| UnitState { activity, ended_well: false });
        lock(&self.0).push((unit.to_owned(), state));
    }
}

impl Units for Told {
    fn state<'a>(&'a self, unit: &'a Unit) -> Soon<'a, Option<UnitState>> {
        let told = lock(&self.0).iter().rfind(|(name, _)| name == unit.as_str()).map(|(_, state)| *state);
        Box::pin(async move {
            match told {
                Some(state) => state,
                None => std::future::pending().await,
            }
        })
    }
}

/// Units that are all active, and of which nobody hears before the gate is opened.
#[derive(Default)]
pub(crate) struct Gate(pub(crate) tokio::sync::watch::Sender<bool>);

impl Units for Gate {
    fn state<'a>(&'a self, _: &'a Unit) -> Soon<'a, Option<UnitState>> {
        let mut opened = self.0.subscribe();
        Box::pin(async move {
            opened.wait_for(|opened| *opened).await.ok()?;
            Some(UnitState { activity: Activity::Active, ended_well: false })
        })
    }
}

/// A machine in a directory: a lock file that nobody holds, a package, an administrator.
pub(crate) struct Ground(TempDir);

impl Ground {
    pub(crate) fn new() -> Self {
        let ground = Self(tempfile::tempdir().unwrap());
        ground.put("lock", "");
        ground.put("status", "Package: nginx\nStatus: install ok installed\n");
        ground.put("passwd", "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/:/bin/sh\nbob:x:1001:1001::/:/bin/sh\n");
        ground.put("group", "sudo:x:27:alice\n");
        fs::create_dir(ground.path("class")).unwrap();
        ground
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn put(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn places(&self) -> Places {
        Places {
            locks: vec![self.path("lock")],
            packages: self.path("status"),
            power: self.path("class/power_supply"),
            accounts: ["passwd", "group"].map(|name| self.path(name)),
        }
    }

    /// A Debian on this ground.
    pub(crate) fn debian(&self) -> Conditions {
        Conditions::new(Host::new("ID=debian", [HostKind::Systemd, HostKind::Mutable]), self.places())
    }
}

async fn look(conditions: &Conditions, check: &str) -> Result<(), Found> {
    conditions.look(&Check::parse(check).unwrap(), in_time()).await
}

#[test]
fn a_lock_is_seen_while_another_process_holds_it() {
    let ground = Ground::new();
    let file = LockFile::open(&ground.path("lock"));
    assert_eq!(file.is_free(), Ok(()));
    let holder = Holder::of(&ground.path("lock"));
    assert_eq!(file.is_free(), Err(Found::Locked(i32::try_from(holder.id()).ok())));
    drop(holder);
    assert_eq!(file.is_free(), Ok(()));
}

#[test]
fn a_lock_file_that_is_another_one_since_counts_as_held() {
    let ground = Ground::new();
    let absent = LockFile::open(&ground.path("later"));
    assert_eq!(absent.is_free(), Ok(()), "nothing is locked that is not there");
    ground.put("later", "");
    assert_eq!(absent.is_free(), Err(Found::Unknown), "it came later, and nobody can ask");
    let opened = LockFile::open(&ground.path("later"));
    ground.put("new", "");
    fs::rename(ground.path("new"), ground.path("later")).unwrap();
    assert_eq!(opened.is_free(), Err(Found::Unknown));
}

#[tokio::test]
async fn each_check_finds_what_is_there_and_what_is_not() {
    let ground = Ground::new();
    ground.put("file", "content");
    let units = Arc::new(Told::default());
    units.say("up.service", Some(Activity::Active));
    units.say("down.service", Some(Activity::Failed));
    units.say("odd.service", None);
    let conditions = ground.debian().asking(units);
    let (file, other) = (ground.path("file"), ground.path("lock"));
    let digest = Digest::of(b"content");
    for (check, found) in [
        ("no-dpkg-lock".to_owned(), Ok(())),
        ("mains-power".to_owned(), Ok(())),
        ("free 1K /tmp".to_owned(), Ok(())),
        ("free 1K /no/such/place".to_owned(), Err(Found::Unknown)),
        (format!("sha256 {digest} {}", file.display()), Ok(())),
        (format!("sha256 {digest} {}", other.display()), Err(Found::OtherContent)),
        (format!("sha256 {digest} /no/such/file"), Err(Found::Unknown)),
        (format!("sha256 {digest} /dev/zero"), Err(Found::Unknown)),
        (format!("sha256 {digest} /tmp"), Err(Found::Unknown)),
        ("unit-active up".to_owned(), Ok(())),
        ("unit-started up".to_owned(), Ok(())),
        ("unit-active down".to_owned(), Err(Found::Unit(Activity::Failed))),
        ("unit-active odd".to_owned(), Err(Found::Unknown)),
        ("unit-active <unit>".to_owned(), Err(Found::Unnamed)),
        ("package-present nginx".to_owned(), Ok(())),
        ("package-present apache2".to_owned(), Err(Found::NoPackage)),
        ("package-present <package>".to_owned(), Err(Found::Unnamed)),
        ("not-last-administrator bob".to_owned(), Ok(())),
        ("not-last-administrator alice".to_owned(), Err(Found::Alone)),
        ("not-last-administrator <user>".to_owned(), Err(Found::Unnamed)),
    ] {
        assert_eq!(look(&conditions, &check).await, found, "{check}");
    }
    assert!(matches!(look(&conditions, "free 17592186044415G /tmp").await, Err(Found::Room(free)) if free > 0));
    ground.put("group", "sudo:x:27:alice,bob\n");
    assert_eq!(look(&conditions, "not-last-administrator alice").await, Ok(()), "it is looked at anew each time");
}

#[tokio::test]
async fn a_machine_of_which_nothing_is_known_is_as_no_rule_asks() {
    let checks = ["no-dpkg-lock", "mains-power", "free 1K /tmp", "unit-active up", "package-present nginx"];
    for check in checks.into_iter().chain(["not-last-administrator bob"]) {
        assert_eq!(look(&Conditions::default(), check).await, Err(Found::Unknown), "{check}");
    }
    let ground = Ground::new();
    for name in ["status", "passwd"] {
        fs::remove_file(ground.path(name)).unwrap();
    }
    fs::remove_dir(ground.path("class")).unwrap();
    for check in ["package-present nginx", "not-last-administrator bob", "mains-power", "unit-active up"] {
        assert_eq!(look(&ground.debian(), check).await, Err(Found::Unknown), "{check}");
    }
}

#[test]
fn a_list_is_read_up_to_its_bound() {
    let ground = Ground::new();
    ground.put("list", "12345");
    assert_eq!(read_text(&ground.path("list"), 5).as_deref(), Ok("12345"));
    assert_eq!(read_text(&ground.path("list"), 4), Err(Found::Unknown));
    fs::write(ground.path("list"), b"\xff").unwrap();
    assert_eq!(read_text(&ground.path("list"), 5), Err(Found::Unknown));
    assert!(Package::parse("nginx").is_some());
}

#[tokio::test]
async fn looks_that_never_come_back_cost_a_bounded_time_and_few_threads() {
    let conditions = Ground::new().debian().asking(Arc::new(Told::default()));
    let begun = Instant::now();
    assert_eq!(look(&conditions, "unit-active silent").await, Err(Found::TimedOut));
    assert!((PATIENCE..PATIENCE * 2).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    let machine = conditions.0.as_ref().unwrap();
    let all = machine.looks.try_acquire_many(u32::try_from(LOOKS).unwrap()).unwrap();
    assert_eq!(look(&conditions, "no-dpkg-lock").await, Err(Found::TimedOut), "no thread is left for it");
    drop(all);
}

#[test]
fn what_is_read_once_confined_is_no_more_than_the_checks_need() {
    let ground = Ground::new();
    let file = |name: &str| CleanPath::new(ground.path(name).to_str().unwrap()).unwrap();
    fs::create_dir_all(ground.path("class/power_supply")).unwrap();
    fs::create_dir_all(ground.path("devices/BAT0")).unwrap();
    std::os::unix::fs::symlink("../../devices/BAT0", ground.path("class/power_supply/BAT0")).unwrap();
    fs::create_dir(ground.path("own")).unwrap();
    let reads = ground.debian().reads(&[file("own/x"), file("gone/x"), CleanPath::new("/no-such-file").unwrap()]);
    let places: Vec<PathBuf> = reads.iter().map(|path| path.canonicalize().unwrap()).collect();
    let expected = ["", "class/power_supply", "devices/BAT0", "own"].map(|name| ground.path(name));
    assert_eq!(places, expected.map(|path| path.canonicalize().unwrap()));
    assert!(Conditions::default().reads(&[file("own/x")]).is_empty());
}

#[test]
fn signs_tell_the_kind_of_host_and_their_absence_the_opposite() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("usr")).unwrap();
    let seen = || signs(root.path());
    assert_eq!(seen(), [HostKind::Mutable, HostKind::NoContainer]);
    fs::create_dir_all(root.path().join("run/systemd/system")).unwrap();
    fs::write(root.path().join("run/ostree-booted"), "").unwrap();
    fs::write(root.path().join("run/systemd/container"), "docker").unwrap();
    assert_eq!(seen(), [HostKind::Systemd, HostKind::Immutable, HostKind::Container]);
    fs::remove_dir(root.path().join("usr")).unwrap();
    assert_eq!(seen(), [HostKind::Systemd, HostKind::Container], "of neither kind, if it cannot be asked");
}
