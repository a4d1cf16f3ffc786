//! Jobs from order to outcome.
#![cfg(test)]

mod driver;

mod tests {
    use countersign_core::outcome::Ended;

    use super::driver::{Launcher, shell, words};

    #[test]
    fn a_read_runs_in_observe_and_says_what_confined_it() {
        let mut launcher = Launcher::start();
        let ran = launcher.run(&words(&["cat", "/etc/passwd"]).within("observe"));
        assert_eq!(ran.outcome.ended, Ended::Exited(0), "{ran:?}");
        assert!(ran.stdout.contains("_countersign-observe"), "{ran:?}");
        for step in ["cgroup", "session", "stdio", "descriptors", "limits", "mounts", "network", "credentials", "capabilities", "no-new-privs", "leash", "landlock", "seccomp"] {
            assert!(!ran.layer(step).is_empty(), "{step}");
        }
    }

    #[test]
    fn a_command_runs_in_system() {
        let mut launcher = Launcher::start();
        let ran = launcher.run(&shell("system", "id -u; exit 7"));
        assert_eq!((ran.outcome.ended.clone(), ran.stdout.as_str()), (Ended::Exited(7), "0\n"), "{ran:?}");
    }
}
