//! Facts about a process, read from `/proc` for display and the log. Never a decision hangs on them.
//!
//! Enters: a pid that the bus named. Leaves: what `/proc` says while a pidfd proves that it is still that process.
//! What the unprivileged broker may not read (another user's executable) is simply unknown.

use std::fs;
use std::io;

use countersign_config::Accounts;
use countersign_core::caller::Uid;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// What `/proc` says of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) user: String,
    pub(super) start_time: u64,
    pub(super) exe: Option<String>,
    pub(super) unit: Option<String>,
    pub(super) session: Option<String>,
    pub(super) login_uid: Option<Uid>,
}

/// Looks at a process.
///
/// # Errors
/// There is no such process, or it ended while it was looked at.
pub(super) fn look(pid: u32, uid: Uid) -> io::Result<Facts> {
    let raw = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
    let process = pidfd_open(raw, PidfdFlags::empty())?;
    let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}"));
    let start_time = start_time(&read("stat")?).ok_or(io::ErrorKind::InvalidData)?;
    let exe = fs::read_link(format!("/proc/{pid}/exe")).ok().map(|path| path.to_string_lossy().into_owned());
    let (unit, session) = read("cgroup").map(|text| unit_and_session(&text)).unwrap_or_default();
    let login_uid =
        read("loginuid").ok().and_then(|text| text.trim().parse::<u32>().ok()).and_then(|id| Uid::try_from(id).ok());
    // A pidfd becomes readable when its process ends: what was read above was read from that process.
    let mut asked = [PollFd::new(&process, PollFlags::IN)];
    if poll(&mut asked, Some(&Timespec::default()))? != 0 {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok(Facts { user: user_name(uid), start_time, exe, unit, session, login_uid })
}

/// The user's name in `/etc/passwd`; empty if it has none there. No name service is asked.
pub(super) fn user_name(uid: Uid) -> String {
    let accounts = Accounts::parse(&fs::read_to_string("/etc/passwd").unwrap_or_default(), "");
    accounts.user_name(uid).unwrap_or_default().to_owned()
}

/// Field 22 of `/proc/PID/stat`; the name in field 2 may itself contain spaces and parentheses (proc(5)).
fn start_time(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// The systemd unit and the login session in `/proc/PID/cgroup`, on the unified and on the older layouts.
fn unit_and_session(cgroup: &str) -> (Option<String>, Option<String>) {
    let path = |prefix: &str| cgroup.lines().find_map(|line| line.strip_prefix(prefix)).filter(|path| *path != "/");
    let Some(path) =
        path("0::").or_else(|| cgroup.lines().find_map(|line| line.split_once(":name=systemd:")).map(|(_, path)| path))
    else {
        return (None, None);
    };
    let parts = || path.split('/').filter(|part| !part.is_empty());
    let unit = parts().rfind(|part| part.ends_with(".service") || part.ends_with(".scope"));
    let session = parts().find_map(|part| part.strip_prefix("session-")?.strip_suffix(".scope"));
    (unit.map(str::to_owned), session.map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_time_is_found_behind_any_name() {
        let rest = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 20";
        for name in ["cat", "a b", "x) S 1 (y"] {
            assert_eq!(start_time(&format!("7 ({name}) {rest}")), Some(4242), "{name}");
        }
        assert_eq!(start_time("7 (cat) S 1"), None);
        assert_eq!(start_time(""), None);
    }

    #[test]
    fn unit_and_session_come_from_either_layout() {
        let some = |text: &str| Some(text.to_owned());
        for (text, unit, session) in [
            ("0::/user.slice/user-1000.slice/session-3.scope\n", some("session-3.scope"), some("3")),
            ("0::/system.slice/agent.service/sub\n", some("agent.service"), None),
            ("12:pids:/\n1:name=systemd:/system.slice/cron.service\n0::/\n", some("cron.service"), None),
            ("0::/\n", None, None),
            ("", None, None),
        ] {
            assert_eq!(unit_and_session(text), (unit, session), "{text}");
        }
    }

    #[test]
    fn this_process_has_facts_and_an_ended_one_has_none() {
        let uid = Uid::try_from(rustix::process::getuid().as_raw()).unwrap();
        let facts = look(std::process::id(), uid).unwrap();
        assert!(facts.start_time > 0 && facts.exe.is_some());
        assert!(look(u32::MAX, uid).is_err());
        assert!(look(0, uid).is_err());
    }
}
