//! Conditions: looks at this machine for what the rules of a request ask of it. SEC-5, SEC-6.
//!
//! ```text
//!   Need ──before──▶ seen, against (Unmet)     twice: before anybody is asked, and right before the run
//!        ──after───▶ seen, against (Drift)     once the command has exited with status 0
//! ```
//!
//! Enters: what the rules need. Leaves: what was seen, and a failure for each condition that does not hold; one that cannot
//! be looked at, or not in time, does not hold either. Looks only: nothing is locked, written or started.
//!
//! What kind of host this is and dpkg's lock files are looked up before the front confines itself; afterwards it could not.

mod accounts;
mod content;
mod locks;
mod packages;
mod power;
pub(crate) mod units;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use countersign_core::classify::Need;
use countersign_core::code::Failure;
use countersign_core::condition::{Check, Condition, Found, Host, HostKind, Named, Role, Seen, Unit};
use countersign_core::condition::{drifted, other_host, unmet};
use countersign_core::path::CleanPath;
use countersign_core::tier::Tier;
use rustix::fs::{StatVfsMountFlags, statvfs};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use locks::LockFile;
use units::{UnitState, Units};

/// The longest that the looks for one request may take together; a file system on another machine may never answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many looks may take a thread at once. One that never comes back keeps its own, and must not take everybody's.
const LOOKS: usize = 4;

/// Where a machine keeps what is looked at.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// The files that package managers lock before they touch dpkg's database.
    pub(crate) locks: Vec<PathBuf>,
    /// dpkg's list of packages.
    pub(crate) packages: PathBuf,
    /// The kernel's power supplies.
    pub(crate) power: PathBuf,
    /// Users and groups.
    pub(crate) accounts: [PathBuf; 2],
}

impl Places {
    fn of_the_machine() -> Self {
        Self {
            locks: ["/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock"].map(PathBuf::from).into(),
            packages: "/var/lib/dpkg/status".into(),
            power: "/sys/class/power_supply".into(),
            accounts: ["/etc/passwd", "/etc/group"].map(PathBuf::from),
        }
    }
}

/// What was looked at, and what does not hold.
#[derive(Debug, Default)]
pub(crate) struct Looked {
    /// Everything, in the order of the rules.
    pub(crate) seen: Vec<Seen>,
    /// A failure for each that is in the way.
    pub(crate) against: Vec<Failure>,
}

/// How to look at this machine. By default at one of which nothing is known, so that whatever a rule asks does not hold.
#[derive(Default)]
pub(crate) struct Conditions(Option<Arc<Machine>>);

struct Machine {
    host: Host,
    locks: Vec<LockFile>,
    places: Places,
    units: Option<Arc<dyn Units>>,
    looks: Arc<Semaphore>,
}

impl Conditions {
    /// Looks at the machine as far as the front may only now. What cannot be read is not there.
    pub(crate) fn of_the_machine() -> Self {
        let os_release = fs::read_to_string("/etc/os-release").unwrap_or_default();
        Self::new(Host::new(&os_release, signs(Path::new("/"))), Places::of_the_machine())
    }

    /// For a host with these places.
    pub(crate) fn new(host: Host, places: Places) -> Self {
        let locks = places.locks.iter().map(|path| LockFile::open(path)).collect();
        Self(Some(Arc::new(Machine { host, locks, places, units: None, looks: Arc::new(Semaphore::new(LOOKS)) })))
    }

    /// The same, with somebody to ask about units.
    pub(crate) fn asking(self, units: Arc<dyn Units>) -> Self {
        let machine = self.0.and_then(Arc::into_inner);
        Self(machine.map(|machine| Arc::new(Machine { units: Some(units), ..machine })))
    }

    /// What the front must be able to read for this once it is confined, as far as it is there: dpkg's list, the power
    /// supplies, and the directories of the files whose content a rule asks for.
    pub(crate) fn reads(&self, files: &[CleanPath]) -> Vec<PathBuf> {
        let Some(machine) = &self.0 else { return Vec::new() };
        let places = &machine.places;
        let supplies = fs::read_dir(&places.power).into_iter().flatten().flatten();
        let own = places.packages.parent().map(Path::to_path_buf).into_iter().chain([places.power.clone()]);
        // The entries of a class are links to devices elsewhere.
        let devices = supplies.filter_map(|entry| fs::read_link(entry.path()).ok().map(|to| places.power.join(to)));
        // A file is exchanged by renaming another over it, so its directory is what stays.
        let directories = files.iter().map(|file| {
            let path = Path::new(file.as_str());
            path.parent().filter(|parent| parent.parent().is_some()).unwrap_or(path).to_path_buf()
        });
        own.chain(devices).chain(directories).filter(|path| path.exists()).collect()
    }

    /// Everything that is asked before the run. A request that is no more than a read is only asked for its host. What is
    /// expected after the run and could not be looked at then, because the command does not say what it is, is in the way now.
    pub(crate) async fn before(&self, needs: &[Need], tier: Tier) -> Looked {
        let (mut looked, until) = (Looked::default(), in_time());
        for need in needs {
            self.host(need, &mut looked);
            for condition in due(need, tier, |condition| condition.role != Role::After || !condition.check.is_told()) {
                let found = self.look(&condition.check, until).await.err();
                looked.seen.push(Seen::new(&need.rule, condition, found));
                let refuses = found.filter(|found| condition.role == Role::Hard || !found.is_an_answer());
                looked.against.extend(refuses.map(|found| unmet(&need.rule, &condition.check, found)));
            }
        }
        looked
    }

    /// Everything that is expected of the machine once the command has exited with status 0.
    pub(crate) async fn after(&self, needs: &[Need], tier: Tier) -> Looked {
        let (mut looked, until) = (Looked::default(), in_time());
        for need in needs {
            for condition in due(need, tier, |condition| condition.role == Role::After) {
                let found = self.look(&condition.check, until).await.err();
                looked.seen.push(Seen::new(&need.rule, condition, found));
                looked.against.extend(found.map(|found| drifted(&need.rule, &condition.check, found)));
            }
        }
        looked
    }

    fn host(&self, Need { rule, hosts, .. }: &Need, looked: &mut Looked) {
        if hosts.is_empty() {
            return;
        }
        let nothing = Host::default();
        let host = self.0.as_ref().map_or(&nothing, |machine| &machine.host);
        looked.seen.push(Seen::of_host(rule, hosts, host));
        looked.against.extend((!host.fits(hosts)).then(|| other_host(rule, hosts, host)));
    }

    /// Whether this holds now, and otherwise what was found.
    async fn look(&self, check: &Check, until: Instant) -> Result<(), Found> {
        let machine = self.0.as_ref().ok_or(Found::Unknown)?;
        timeout_at(until, machine.look(check)).await.unwrap_or(Err(Found::TimedOut))
    }
}

/// Until when the looks that begin now may take. A clock at its end leaves them no time.
fn in_time() -> Instant {
    let now = Instant::now();
    now.checked_add(PATIENCE).unwrap_or(now)
}

/// Those of the conditions; nothing of the moment is asked of a read.
fn due(need: &Need, tier: Tier, is: fn(&Condition) -> bool) -> impl Iterator<Item = &Condition> {
    need.conditions.iter().filter(move |condition| tier > Tier::T0 && is(condition))
}

impl Machine {
    async fn look(self: &Arc<Self>, check: &Check) -> Result<(), Found> {
        match check.clone() {
            Check::NoDpkgLock => self.aside(|machine| machine.locks.iter().try_for_each(LockFile::is_free)).await,
            Check::MainsPower => self.aside(|machine| power::is_from_the_mains(&machine.places.power)).await,
            Check::Free { kib, path } => self.aside(move |_| has_room(kib, &path)).await,
            Check::Content { sha256, path } => self.aside(move |_| content::is(sha256, &path)).await,
            Check::UnitActive(Named::This(unit)) => self.unit(&unit, UnitState::is_active).await,
            Check::UnitStarted(Named::This(unit)) => self.unit(&unit, UnitState::is_started).await,
            Check::PackagePresent(Named::This(package)) => {
                self.aside(move |machine| packages::is_present(&machine.places.packages, &package)).await
            }
            Check::NotLastAdministrator(Named::This(account)) => {
                self.aside(move |machine| accounts::others_remain(&machine.places.accounts, &account)).await
            }
            Check::UnitActive(Named::Each)
            | Check::UnitStarted(Named::Each)
            | Check::PackagePresent(Named::Each)
            | Check::NotLastAdministrator(Named::Each) => Err(Found::Unnamed),
        }
    }

    /// Looks in a thread of its own, of which there are few.
    async fn aside(
        self: &Arc<Self>,
        look: impl FnOnce(&Self) -> Result<(), Found> + Send + 'static,
    ) -> Result<(), Found> {
        let place = Arc::clone(&self.looks).acquire_owned().await.map_err(|_| Found::Unknown)?;
        let machine = Arc::clone(self);
        let looked = tokio::task::spawn_blocking(move || {
            let found = look(&machine);
            drop(place);
            found
        });
        looked.await.unwrap_or(Err(Found::Unknown))
    }

    async fn unit(&self, unit: &Unit, holds: fn(&UnitState) -> bool) -> Result<(), Found> {
        let state = self.units.as_ref().ok_or(Found::Unknown)?.state(unit).await.ok_or(Found::Unknown)?;
        if holds(&state) { Ok(()) } else { Err(Found::Unit(state.activity)) }
    }
}

fn has_room(kib: u64, path: &CleanPath) -> Result<(), Found> {
    let room = statvfs(path.as_str()).map_err(|_| Found::Unknown)?;
    let free = room.f_bavail.saturating_mul(room.f_frsize) / 1_024;
    if free >= kib { Ok(()) } else { Err(Found::Room(free)) }
}

/// What can be seen of the kind of this host: sd_booted(3), openrc-run(8), ostree(1), os-release(5) aside.
fn signs(root: &Path) -> Vec<HostKind> {
    let there = |path: &str| root.join(path).exists();
    let inits = [("run/systemd/system", HostKind::Systemd), ("run/openrc/softlevel", HostKind::OpenRc)];
    let mut seen: Vec<HostKind> = inits.into_iter().filter(|(path, _)| there(path)).map(|(_, kind)| kind).collect();
    // Whether programs can be written at all; what cannot be asked is of neither kind.
    if let Ok(programs) = statvfs(root.join("usr")) {
        let fixed = there("run/ostree-booted") || programs.f_flag.contains(StatVfsMountFlags::RDONLY);
        seen.push(if fixed { HostKind::Immutable } else { HostKind::Mutable });
    }
    let contained = ["run/systemd/container", "run/.containerenv", ".dockerenv"].into_iter().any(there);
    seen.push(if contained { HostKind::Container } else { HostKind::NoContainer });
    seen
}

/// The file's text, if it is no longer than that.
fn read_text(path: &Path, most: u64) -> Result<String, Found> {
    let mut text = Vec::new();
    let file = fs::File::open(path).map_err(|_| Found::Unknown)?;
    let read = std::io::Read::read_to_end(&mut std::io::Read::take(file, most.saturating_add(1)), &mut text);
    match read {
        Ok(length) if length as u64 <= most => String::from_utf8(text).map_err(|_| Found::Unknown),
        Ok(_) | Err(_) => Err(Found::Unknown),
    }
}

#[cfg(test)]
pub(crate) mod tests;
