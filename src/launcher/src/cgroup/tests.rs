//! Where the unit's cgroup is, on either layout, and what is left of a job's: nothing.

use super::*;

const HYBRID: &str = "\
25 30 0:23 / /sys rw,nosuid shared:7 - sysfs sysfs rw
26 25 0:24 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755
27 26 0:25 / /sys/fs/cgroup/unified rw,nosuid shared:10 - cgroup2 cgroup2 rw,nsdelegate
28 26 0:26 / /sys/fs/cgroup/memory rw,nosuid shared:11 - cgroup cgroup rw,memory
";
const UNIFIED: &str = "\
25 30 0:23 / /sys rw,nosuid shared:7 - sysfs sysfs rw
26 25 0:24 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot
";
const OLD: &str = "\
26 25 0:24 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755
28 26 0:26 / /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory
29 25 0:27 / /mnt rw - cgroup2 cgroup2 rw
";
const OWN: &str = "9:name=systemd:/system.slice/x\n4:memory:/system.slice\n0::/system.slice/countersignd.service\n";
const LIMITS: Limits = Limits { tasks: 7, memory_mib: Some(64) };

#[test]
fn the_place_is_that_of_the_unified_tree_on_both_layouts() {
    assert_eq!(place(OWN), Some("/system.slice/countersignd.service"));
    assert_eq!(place("0::/\n"), Some("/"));
    assert_eq!(place("4:memory:/\n"), None);
}

#[test]
fn the_units_cgroup_is_found_on_both_layouts() {
    for (mounts, own, expected) in [
        (HYBRID, OWN, "/sys/fs/cgroup/unified/system.slice/countersignd.service"),
        (UNIFIED, OWN, "/sys/fs/cgroup/system.slice/countersignd.service"),
        (UNIFIED, "0::/a.slice/c.service/broker\n", "/sys/fs/cgroup/a.slice/c.service"),
        (HYBRID, "0::/a.slice/c.service/broker\n", "/sys/fs/cgroup/unified/a.slice/c.service"),
        (UNIFIED, "0::/a.slice/pawnbroker\n", "/sys/fs/cgroup/a.slice/pawnbroker"),
        (UNIFIED, "0::/\n", "/sys/fs/cgroup"),
    ] {
        let found = units_path(mounts, own).unwrap();
        assert_eq!(found.to_str().map(|path| path.trim_end_matches('/')), Some(expected), "{own}");
    }
}

#[test]
fn without_a_unified_tree_or_a_place_in_it_there_is_none() {
    let covered = format!("{UNIFIED}40 26 0:40 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n");
    for mounts in ["", OLD, "26 25 0:24 / /sys/fs/cgroup rw", &covered] {
        assert!(matches!(units_path(mounts, OWN), Err(CgroupError::NoTree)), "{mounts}");
    }
    for own in ["", "4:memory:/\n"] {
        assert!(matches!(units_path(HYBRID, own), Err(CgroupError::NoPlace)), "{own}");
    }
}

/// A cgroup of the test's own on this machine.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let tree = units_path(&mounts, "0::/\n").unwrap();
        let path = tree.join(format!("countersign-test-{}-{name}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn jobs(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap().flatten().filter(|entry| entry.path().is_dir());
        entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        for name in self.jobs() {
            fs::remove_dir(self.0.join(name)).unwrap();
        }
        fs::remove_dir(&self.0).unwrap();
    }
}

#[test]
fn a_jobs_cgroup_has_its_limits_where_there_are_controllers_and_leaves_nothing() {
    let scratch = Scratch::new("job");
    let unit = Unit::at(&scratch.0).unwrap();
    assert_eq!(unit.controllers(), Controllers::default(), "nobody delegated it");
    let (mut group, gives) = unit.open_job("1", LIMITS).unwrap();
    assert_eq!(gives, "job-1, killed as a whole; tasks not limited here; memory not limited here");
    assert_eq!((scratch.jobs(), group.is_empty().unwrap()), (vec!["job-1".to_owned()], true));
    assert!(unit.open_job("1", LIMITS).is_err(), "it is there already");
    assert_eq!(scratch.jobs(), ["job-1"], "and stays whose it was");
    group.kill().unwrap();
    group.remove().unwrap();
    assert_eq!(scratch.jobs(), Vec::<String>::new());
}

#[test]
fn a_limit_that_cannot_be_set_leaves_no_cgroup() {
    let scratch = Scratch::new("limits");
    let mut unit = Unit::at(&scratch.0).unwrap();
    // The controllers were not handed down, so there is no file to write a limit to.
    unit.controllers = Controllers { memory: true, pids: true };
    assert!(matches!(unit.open_job("1", LIMITS), Err(CgroupError::File { what: "limiting a job's cgroup", .. })));
    assert_eq!(scratch.jobs(), Vec::<String>::new());
}

#[test]
fn what_a_former_run_left_is_removed_and_nothing_else() {
    let scratch = Scratch::new("sweep");
    for name in ["job-1", "job-2", "jobs", "other"] {
        fs::create_dir(scratch.0.join(name)).unwrap();
    }
    Unit::at(&scratch.0).unwrap();
    let mut left = scratch.jobs();
    left.sort();
    assert_eq!(left, ["jobs", "other"]);
}
