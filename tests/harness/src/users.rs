//! The people of the machine.
//!
//! What enters: a root not yet booted; what leaves: three accounts in it. It must never leave a second administrator
//! beside [`ADMIN`], for a terminal agent would then ask which one answers.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

/// A plain user, the one who calls.
pub const AGENT: &str = "agent";
/// The administrator: the only member of group `sudo`, whom polkit's rule in Debian names administrators.
pub const ADMIN: &str = "admin";
/// Another plain user, with no part in anything.
pub const STRANGER: &str = "stranger";
/// The password of [`AGENT`].
pub const AGENT_PASSWORD: &str = "plain words";
/// The password of [`ADMIN`].
pub const ADMIN_PASSWORD: &str = "signed and sealed";
/// The password of [`STRANGER`].
pub const STRANGER_PASSWORD: &str = "nobody here";

/// Fast hashes keep a boot short; they protect nothing.
const SCRIPT: &str = r#"set -e
for user in agent admin stranger; do id "$user" >/dev/null 2>&1 || useradd --create-home --shell /bin/bash "$user"; done
gpasswd --members admin sudo >/dev/null
printf '%s\n' "$@" | chpasswd --crypt-method SHA256"#;

#[expect(
    clippy::disallowed_methods,
    reason = "accounts are made by the distribution's own tools, before the machine runs"
)]
pub(crate) fn create(root: &Path) -> Result<()> {
    let passwords = [(AGENT, AGENT_PASSWORD), (ADMIN, ADMIN_PASSWORD), (STRANGER, STRANGER_PASSWORD)];
    let output = Command::new("chroot")
        .arg(root)
        .args(["sh", "-c", SCRIPT, "users"])
        .args(passwords.map(|(user, password)| format!("{user}:{password}")))
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .output()?;
    if !output.status.success() {
        bail!("cannot create the users: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
