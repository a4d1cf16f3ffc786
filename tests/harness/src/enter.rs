//! The way into a machine for a command.
//!
//! What enters: who, what and with which environment; what leaves: the argv that runs it inside. The command joins the
//! machine's control groups first, then its namespaces, and then is started *below a shell in there*: a process whose
//! parent is outside the pid namespace sees parent 0, which pkexec refuses. It must never leave the command outside one
//! of the namespaces.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};

use crate::cgroup;

/// The door: the first process of the machine and where its commands are accounted.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) leader: i32,
    /// The unified tree's group that is the machine's root.
    root: PathBuf,
    /// The machine's root in the other hierarchies.
    others: Vec<PathBuf>,
    count: Arc<AtomicU32>,
}

/// `$1` = the command's own group, `$2` = how many other groups follow, then those, then what to run. The way in stays
/// out of the command's own group: killed together with the command it could not reap it, and a machine ends only when
/// all that ever ran in it is reaped.
const OUTSIDE: &str = r#"exec 3>"$1/cgroup.procs" || exit 125; n=$2; shift 2
while [ "$n" -gt 0 ]; do echo 0 >"$1/cgroup.procs" || exit 125; shift; n=$((n - 1)); done
exec "$@""#;
/// Not `exec`: this shell is the parent that the command sees.
const INSIDE: &str = r#"echo 0 >&3 || exit 125; exec 3>&-; cd /; "$@"; exit $?"#;
/// A user's command starts at home, with the path of a login.
const AT_HOME: &str = r#"cd && LANG=C.UTF-8 PATH=/usr/local/bin:/usr/bin:/bin && export LANG PATH && exec "$@""#;

impl Door {
    pub(crate) fn of(leader: i32) -> Result<Self> {
        let pid = leader.to_string();
        let (mut root, mut others) = (None, Vec::new());
        for hierarchy in cgroup::hierarchies()? {
            let group = without_scope(hierarchy.group_of(&pid)?);
            if hierarchy.is_unified() { root = Some(group) } else { others.push(group) }
        }
        let root = root.context("there is no unified cgroup tree")?;
        Ok(Self { leader, root, others, count: Arc::default() })
    }

    /// A new group for one command, so that it can be ended with all it started.
    pub(crate) fn new_group(&self) -> Result<PathBuf> {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let group = self.root.join("commands").join(number.to_string());
        std::fs::create_dir_all(&group).with_context(|| group.display().to_string())?;
        Ok(group)
    }

    /// The argv that runs `argv` inside as root, in `group`. `below` stands between the inner shell and the command.
    pub(crate) fn argv(&self, group: &Path, below: &[String], argv: &[String]) -> Vec<String> {
        let (group, count) = (group.display().to_string(), self.others.len().to_string());
        let mut line = words(&["sh", "-c", OUTSIDE, "enter", &group, &count]);
        line.extend(self.others.iter().map(|other| other.display().to_string()));
        // A test that runs in the background of a shell ignores SIGINT, which a child would inherit.
        line.extend(words(&[
            "env",
            "--default-signal",
            "nsenter",
            "-t",
            &self.leader.to_string(),
            "-a",
            "--",
            "sh",
            "-c",
            INSIDE,
            "inside",
        ]));
        line.extend(below.iter().cloned());
        line.extend(argv.iter().cloned());
        line
    }
}

/// What turns root's command into a user's: ids, supplementary groups and environment as at a login.
pub(crate) fn as_user(user: &str) -> Vec<String> {
    let (uid, gid) = (format!("--reuid={user}"), format!("--regid={user}"));
    words(&["setpriv", &uid, &gid, "--init-groups", "--reset-env", "--", "sh", "-c", AT_HOME, "login"])
}

/// Whether a command line is that of the shell above a command.
pub(crate) fn is_way_in(command: &str) -> bool {
    command.strip_prefix("sh -c ").is_some_and(|script| script.starts_with(INSIDE))
}

pub(crate) fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|&word| word.to_owned()).collect()
}

fn without_scope(group: PathBuf) -> PathBuf {
    match group.parent() {
        Some(parent) if group.ends_with("init.scope") => parent.to_owned(),
        Some(_) | None => group,
    }
}
