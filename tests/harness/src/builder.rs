//! A machine before it boots.
//!
//! What enters: what to install and which of nspawn's protections to keep; what leaves: a running machine. It must never
//! leave anything behind when a step fails: the guard is there before the first of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cgroup;
use crate::deadline::Deadline;
use crate::enter::Door;
use crate::guard::{Estate, Guard};
use crate::machine::Machine;
use crate::{layers, slot, units, users};

/// Where the layers of running machines are mounted.
const HOME: &str = "/run/countersign-machines";
/// A boot takes 0.6 s; on a busy host it may take much longer.
const PATIENCE: Duration = Duration::from_secs(60);
/// System calls that nspawn's own filter refuses and that jobs need.
const CALLS: &str = "landlock_create_ruleset landlock_add_rule landlock_restrict_self";

type Hook<'a> = Box<dyn FnOnce(&Path) -> Result<()> + 'a>;

/// Built by [`Machine::builder`].
#[derive(Default)]
pub struct Builder<'a> {
    hooks: Vec<Hook<'a>>,
    nspawn: Vec<String>,
    lifted: bool,
}

impl<'a> Builder<'a> {
    /// Runs `hook` on the machine's root before it boots, for example to install something; more than one run in order.
    #[must_use]
    pub fn before_boot(mut self, hook: impl FnOnce(&Path) -> Result<()> + 'a) -> Self {
        self.hooks.push(Box::new(hook));
        self
    }

    /// Gives PID 1, and so every unit, all capabilities.
    #[must_use]
    pub fn capability_all(self) -> Self {
        self.nspawn_option("--capability=all")
    }

    /// Lifts nspawn's protections, so that what holds in there is held by us: all capabilities, nearly all system calls,
    /// and nothing covered in `/proc` and `/sys`. What writes there then writes to the host's kernel.
    #[must_use]
    pub fn lift_protections(mut self) -> Self {
        self.lifted = true;
        self.capability_all().nspawn_option("--system-call-filter=@known")
    }

    /// Adds an option of systemd-nspawn.
    #[must_use]
    pub fn nspawn_option(mut self, option: &str) -> Self {
        self.nspawn.push(option.to_owned());
        self
    }

    /// Builds, boots, and waits until everything that starts at boot has.
    ///
    /// # Errors
    /// When a step fails; nothing is left then. A boot that fails says what the console said.
    pub fn boot(self) -> Result<Machine> {
        let slot = slot::take()?;
        let name = unique_name();
        let dir = Path::new(HOME).join(&name);
        let cgroups = groups_for(&name)?;
        let boot = self.nspawn_argv(&name, &dir);
        let mut guard = Guard::start(&Estate { name: &name, dir: &dir, cgroups: cgroups.clone(), boot }, slot)?;
        let root = layers::build(&dir, &name)?;
        units::quiet(&root)?;
        users::create(&root)?;
        for hook in self.hooks {
            hook(&root).context("before boot")?;
        }
        for group in &cgroups {
            fs::create_dir_all(group).with_context(|| group.display().to_string())?;
        }
        guard.boot()?;
        let leader = await_leader(&cgroups, &dir)?;
        let machine = Machine::new(name, Door::of(leader)?, cgroups, guard);
        machine.await_boot(PATIENCE)?;
        if self.lifted {
            machine.uncover()?;
        }
        Ok(machine)
    }

    fn nspawn_argv(&self, name: &str, dir: &Path) -> Vec<String> {
        let mut argv: Vec<String> = [
            "systemd-nspawn",
            "--quiet",
            "--register=no",
            "--keep-unit",
            "--boot",
            "--private-network",
            "--console=pipe",
            "--resolv-conf=off",
            "--timezone=off",
            "--link-journal=no",
        ]
        .map(str::to_owned)
        .to_vec();
        argv.push(format!("--system-call-filter={CALLS}"));
        argv.push(format!("--machine={name}"));
        argv.push(format!("--directory={}", dir.join("root").display()));
        argv.extend(self.nspawn.iter().cloned());
        argv
    }
}

/// Unique among the machines of this host while this process lives; also a valid host name.
fn unique_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("machine-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

fn groups_for(name: &str) -> Result<Vec<PathBuf>> {
    cgroup::hierarchies()?.iter().map(|hierarchy| Ok(hierarchy.group_of("self")?.join(name))).collect()
}

/// The first process of the machine, once it is systemd: before that it still has the host's root.
fn await_leader(cgroups: &[PathBuf], dir: &Path) -> Result<i32> {
    let leader = || {
        let pids = cgroups.iter().flat_map(|group| cgroup::processes(group));
        pids.into_iter().find(|&pid| is_leader(pid))
    };
    if let Some(pid) = Deadline::after(PATIENCE).poll(leader) {
        return Ok(pid);
    }
    let console = fs::read_to_string(dir.join("console")).unwrap_or_default();
    bail!("the machine did not start; its console: {console}")
}

fn is_leader(pid: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim).unwrap_or_default();
    field("Name:") == "systemd" && field("NSpid:").split_whitespace().nth(1) == Some("1")
}
