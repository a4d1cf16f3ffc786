//! What the product needs of a kernel works inside, for units too, which have nspawn's filter and bounds on them.

use crate::{Machine, Output};

/// As a unit sees it: started by PID 1, not entered from outside.
fn in_unit(machine: &Machine, script: &str) -> Output {
    machine.run(["systemd-run", "--quiet", "--pipe", "--wait", "--property=Delegate=yes", "sh", "-c", script]).unwrap()
}

/// The Landlock ABI, asked of the kernel by the system call itself (444, with the version flag).
const LANDLOCK: &str = "perl -e 'print syscall(444, 0, 0, 1)'";

#[test]
fn landlock_is_there_for_units() {
    let machine = Machine::boot().unwrap();
    let abi: i32 = in_unit(&machine, LANDLOCK).ok().unwrap().stdout.parse().unwrap();
    assert!(abi > 0, "ABI {abi}");
}

#[test]
fn a_unit_can_build_a_mount_namespace_of_its_own() {
    let machine = Machine::boot().unwrap();
    let script = "unshare --mount --propagation private sh -ec '
        mount --bind /usr /usr; mount -o remount,bind,ro /usr; ! touch /usr/x 2>/dev/null
        mount -t tmpfs none /mnt; touch /mnt/x'";
    in_unit(&machine, script).ok().unwrap();
    assert!(!machine.exists("/mnt/x").unwrap());
    machine.run(["touch", "/usr/x"]).unwrap().ok().unwrap();
}

/// Every call is made with arguments it must refuse, so a filter's EPERM or ENOSYS shows.
#[test]
fn the_calls_that_build_a_sandbox_are_not_filtered_for_units() {
    let machine = Machine::boot().unwrap();
    for (name, call) in [
        ("execveat", "322, -1, 0, 0, 0, 0"),
        ("pidfd_send_signal", "424, -1, 0, 0, 0"),
        ("open_tree", "428, -1, 0, -1"),
        ("move_mount", "429, -1, 0, -1, 0, -1"),
        ("fsopen", "430, 0, -1"),
        ("fsconfig", "431, -1, 0, 0, 0, 0"),
        ("fsmount", "432, -1, -1, 0"),
        ("pidfd_open", "434, -1, 0"),
        ("clone3", "435, 0, 0"),
        ("close_range", "436, 9, 8, 0"),
        ("openat2", "437, -1, 0, 0, 0"),
        ("mount_setattr", "442, -1, 0, 0, 0, 0"),
        ("landlock_add_rule", "445, -1, 0, 0, 0"),
        ("landlock_restrict_self", "446, -1, 0"),
        ("memfd_create", "319, 0, -1"),
        ("seccomp", "317, -1, 0, 0"),
    ] {
        let script = format!("perl -e 'print syscall({call}), \" \", $!+0'");
        let answer = in_unit(&machine, &script).ok().unwrap().stdout;
        let errno: i32 = answer.strip_prefix("-1 ").unwrap_or_else(|| panic!("{name}: {answer}")).parse().unwrap();
        assert!(![1, 38].contains(&errno), "{name}: errno {errno}");
    }
}

#[test]
fn a_delegated_unit_makes_groups_and_kills_them_at_once() {
    let machine = Machine::boot().unwrap();
    let script = r#"set -e
        own=/sys/fs/cgroup/unified; [ -d $own ] || own=/sys/fs/cgroup
        own=$own$(sed -n s/^0:://p /proc/self/cgroup)
        mkdir $own/job; setsid sleep 7657 & pid=$!
        echo $pid >$own/job/cgroup.procs; echo 1 >$own/job/cgroup.kill
        wait $pid || echo $?; rmdir $own/job"#;
    let output = in_unit(&machine, script).ok().unwrap();
    assert_eq!(output.stdout, "137\n");
}

#[test]
fn by_default_the_hosts_kernel_settings_are_out_of_reach() {
    let machine = Machine::boot().unwrap();
    let settings = "was=$(cat /proc/sys/kernel/panic); echo $was >/proc/sys/kernel/panic";
    assert!(!machine.run(["sh", "-c", settings]).unwrap().success());
}

#[test]
fn lifted_protections_are_lifted() {
    let machine = Machine::builder().lift_protections().boot().unwrap();
    let capabilities = in_unit(&machine, "grep CapEff /proc/self/status").ok().unwrap().stdout;
    let host = std::fs::read_to_string("/proc/self/status").unwrap();
    assert!(host.contains(capabilities.trim()), "{capabilities}");
    // What is written is what was there.
    for script in [
        "was=$(cat /proc/sys/kernel/panic); echo $was >/proc/sys/kernel/panic",
        "cd /sys/kernel/mm/transparent_hugepage; was=$(cat use_zero_page); echo $was >use_zero_page",
        "perl -e 'syscall(321, -1, 0, 0); exit($! == 22 ? 0 : 1)'",
        LANDLOCK,
    ] {
        in_unit(&machine, script).ok().unwrap();
    }
}
