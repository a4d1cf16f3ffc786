//! The machine's file system: the host's root below, a tmpfs above.
//!
//! What enters: an empty directory; what leaves: a root that can be changed at will and vanishes with its mounts. It
//! must never write to the host's own files. What the host has mounted below its root is not part of it. Unmounting is the guard's work, which was started before anything is mounted.

use std::ffi::CString;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustix::mount::{MountFlags, mount};

/// Mounts the layers below `dir` and gives them an identity; returns the machine's root.
pub(crate) fn build(dir: &Path, name: &str) -> Result<PathBuf> {
    mount_tmpfs(dir)?;
    let [upper, work, root] = ["upper", "work", "root"].map(|part| dir.join(part));
    for part in [&upper, &work, &root] {
        fs::create_dir(part).with_context(|| part.display().to_string())?;
    }
    let data = format!("lowerdir=/,upperdir={},workdir={}", upper.display(), work.display());
    mount("overlay", &root, "overlay", MountFlags::empty(), CString::new(data)?.as_c_str())
        .context("mount the overlay")?;
    identify(&root, name)?;
    Ok(root)
}

fn mount_tmpfs(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    mount("tmpfs", dir, "tmpfs", MountFlags::NODEV, c"mode=755").context("mount the upper tmpfs")
}

/// A machine of its own: without an id systemd would treat it as a first boot and enable every unit, and a host name
/// that does not resolve makes sudo wait for a resolver.
fn identify(root: &Path, name: &str) -> Result<()> {
    let etc = root.join("etc");
    fs::write(etc.join("machine-id"), random_id()?)?;
    fs::write(etc.join("hostname"), format!("{name}\n"))?;
    fs::write(etc.join("hosts"), format!("127.0.0.1 localhost {name}\n::1 localhost\n"))?;
    Ok(())
}

fn random_id() -> Result<String> {
    let mut uuid = String::new();
    fs::File::open("/proc/sys/kernel/random/uuid")?.read_to_string(&mut uuid)?;
    Ok(uuid.replace('-', ""))
}
