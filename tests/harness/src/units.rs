//! What the machine starts at boot: PID 1, journal, D-Bus, logind, and what a test installs and enables.
//!
//! What enters: a root not yet booted; what leaves: the same root without the host's own services. It must never switch
//! off a part that a promise is tested against.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context, Result};

/// Vendor units that would do nothing in here but take time, or reach for hardware and kernel settings of the host.
const MASKED: &[&str] = &[
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "console-getty.service",
    "cron.service",
    "dev-hugepages.mount",
    "dev-mqueue.mount",
    "getty.target",
    "kmod-static-nodes.service",
    "networking.service",
    "proc-sys-fs-binfmt_misc.automount",
    "ssh.service",
    "sys-fs-fuse-connections.mount",
    "sys-kernel-config.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "systemd-binfmt.service",
    "systemd-initctl.socket",
    "systemd-journal-flush.service",
    "systemd-modules-load.service",
    "systemd-networkd.service",
    "systemd-pcrphase.service",
    "systemd-pcrphase-sysinit.service",
    "systemd-random-seed.service",
    "systemd-remount-fs.service",
    "systemd-resolved.service",
    "systemd-sysctl.service",
    "systemd-sysusers.service",
    "systemd-timesyncd.service",
    "systemd-tmpfiles-clean.timer",
    "systemd-tmpfiles-setup-dev.service",
    "systemd-udevd.service",
    "systemd-udevd-control.socket",
    "systemd-udevd-kernel.socket",
    "systemd-udev-trigger.service",
    "systemd-update-utmp.service",
    "systemd-update-utmp-runlevel.service",
];

/// Clears and masks below `root`, and makes `multi-user.target` the goal.
pub(crate) fn quiet(root: &Path) -> Result<()> {
    let units = root.join("etc/systemd/system");
    fs::create_dir_all(&units)?;
    forget_enabled(&units)?;
    for unit in MASKED {
        mask(&units, unit)?;
    }
    mask_host_generators(root)?;
    replace_link(Path::new("/lib/systemd/system/multi-user.target"), &units.join("default.target"))?;
    journal_in_memory(root)
}

/// What the host's owner enabled is not part of any promise.
fn forget_enabled(units: &Path) -> Result<()> {
    for entry in fs::read_dir(units)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "wants" || extension == "requires") {
            fs::remove_dir_all(&path).with_context(|| path.display().to_string())?;
        }
    }
    Ok(())
}

/// The host's generators would bring back its services; those that a test installs are added after this.
fn mask_host_generators(root: &Path) -> Result<()> {
    let masks = root.join("etc/systemd/system-generators");
    fs::create_dir_all(&masks)?;
    for entry in fs::read_dir(root.join("lib/systemd/system-generators"))? {
        replace_link(Path::new("/dev/null"), &masks.join(entry?.file_name()))?;
    }
    Ok(())
}

fn journal_in_memory(root: &Path) -> Result<()> {
    let conf = root.join("etc/systemd/journald.conf.d");
    fs::create_dir_all(&conf)?;
    fs::write(conf.join("zz-machine.conf"), "[Journal]\nStorage=volatile\nRateLimitBurst=0\n")
        .context("journald.conf.d")
}

fn mask(units: &Path, unit: &str) -> Result<()> {
    replace_link(Path::new("/dev/null"), &units.join(unit))
}

fn replace_link(target: &Path, link: &Path) -> Result<()> {
    match fs::remove_file(link) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error).context(link.display().to_string()),
        Ok(()) | Err(_) => {}
    }
    symlink(target, link).with_context(|| link.display().to_string())
}
