//! Programs that try to get out, in every profile, on a launcher that believes they were approved there.
//!
//! Each line is one attempt: raw system calls from a shell's perl, so that no tool's caution stands in for the sandbox.
//! What is expected is the reason, not just a failure.
//! The numbers are those of one architecture's table of calls.
#![cfg(target_arch = "x86_64")]

use std::fs;

use crate::driver::{Launcher, shell, words};

const EPERM: i32 = 1;
const EACCES: i32 = 13;
const EROFS: i32 = 30;
const ENOSYS: i32 = 38;
const EAFNOSUPPORT: i32 = 97;

/// Runs one attempt and returns the error number, or 0 if it succeeded.
fn attempt(launcher: &mut Launcher, profile: &'static str, perl: &str) -> i32 {
    let program = format!(
        "use POSIX; sub S {{ my ($n, @a) = @_; syscall($n, @a) != -1 }} $! = 0; my $r = eval {{ {perl} }}; print $@ if $@; print($r ? 0 : $!+0);"
    );
    let quoted = program.replace('\'', r"'\''");
    let ran = launcher.run(&shell(profile, &format!("exec perl -e '{quoted}'")));
    ran.stdout.trim().parse().unwrap_or_else(|_| panic!("{perl}: {ran:?}"))
}

fn all(launcher: &mut Launcher, profiles: &[&'static str], attempts: &[(&str, &str, &[i32])]) {
    let mut wrong = Vec::new();
    for profile in profiles {
        for (what, perl, expected) in attempts {
            let errno = attempt(launcher, profile, perl);
            if !expected.contains(&errno) {
                wrong.push(format!("{profile}: {what}: {errno}, not {expected:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

const PREPARED: &str = "mkdir -p srv; echo text > srv/file; chmod 644 srv/file; mkdir srv/dir; \
    mkdir -p home/other/.ssh var/lib/countersign; echo key > home/other/.ssh/id; echo log > var/lib/countersign/audit.db; \
    mkdir -p root/.ssh; echo key > root/.ssh/id; echo shadow > etc/shadow; mkdir -p run/dbus run/systemd; : > run/docker.sock";

#[test]
fn nothing_changes_the_file_system_outside_what_is_allowed() {
    let mut launcher = Launcher::start_after(PREPARED);
    all(
        &mut launcher,
        &["observe", "change"],
        &[
            ("create", "sysopen(F, '/srv/new', O_WRONLY|O_CREAT)", &[EROFS, EACCES]),
            ("write", "sysopen(F, '/srv/file', O_WRONLY)", &[EROFS, EACCES]),
            ("truncate", "truncate('/srv/file', 0)", &[EROFS, EACCES]),
            ("chmod", "chmod(0777, '/srv/file')", &[EROFS]),
            ("set-id", "chmod(04755, '/srv/file')", &[EROFS]),
            ("chown", "chown(1, 1, '/srv/file')", &[EROFS]),
            ("utime", "utime(1, 1, '/srv/file')", &[EROFS]),
            ("rename", "rename('/srv/file', '/srv/other')", &[EROFS, EACCES]),
            ("link", "link('/srv/file', '/srv/other')", &[EROFS, EACCES]),
            ("symlink", "symlink('/srv/file', '/srv/other')", &[EROFS, EACCES]),
            ("unlink", "unlink('/srv/file')", &[EROFS, EACCES]),
            ("mkdir", "mkdir('/srv/more')", &[EROFS, EACCES]),
            ("rmdir", "rmdir('/srv/dir')", &[EROFS, EACCES]),
            ("fifo", "POSIX::mkfifo('/srv/fifo', 0644)", &[EROFS, EACCES]),
            ("cron", "sysopen(F, '/etc/cron.d/x', O_WRONLY|O_CREAT)", &[EROFS, EACCES]),
            ("sysctl", "sysopen(F, '/proc/sys/kernel/hostname', O_WRONLY)", &[EROFS, EACCES]),
            ("sysfs", "sysopen(F, '/sys/kernel/uevent_helper', O_WRONLY)", &[EROFS, EACCES, 2]),
        ],
    );
    let root = launcher.root();
    assert_eq!(fs::read_to_string(root.join("srv/file")).unwrap(), "text\n");
    assert_eq!(fs::read_dir(root.join("srv")).unwrap().count(), 2);
}

#[test]
fn attributes_are_refused_in_observe_and_read_only_in_change() {
    let mut launcher = Launcher::start_after(PREPARED);
    let set = "S(188, '/srv/file', 'user.x', 'y', 1, 0)";
    assert_eq!(attempt(&mut launcher, "observe", set), EPERM);
    assert_eq!(attempt(&mut launcher, "change", set), EROFS);
    let capability = "S(188, '/srv/file', 'security.capability', pack('V5', 0x2000001, 1, 0, 0, 0), 20, 0)";
    assert_eq!(attempt(&mut launcher, "change", capability), EROFS);
    assert_eq!(attempt(&mut launcher, "system", capability), EPERM, "no CAP_SETFCAP");
}

#[test]
fn secrets_cannot_be_opened_even_by_who_may_read_everything() {
    let mut launcher = Launcher::start_after(PREPARED);
    all(
        &mut launcher,
        &["observe", "change"],
        &[
            ("shadow", "sysopen(F, '/etc/shadow', O_RDONLY)", &[EACCES]),
            ("shadow by another way", "sysopen(F, '/proc/self/root/etc/shadow', O_RDONLY)", &[EACCES]),
            ("key of root", "sysopen(F, '/root/.ssh/id', O_RDONLY)", &[2, EACCES]),
            ("key of a user", "sysopen(F, '/home/other/.ssh/id', O_RDONLY)", &[2, EACCES]),
            ("engine", "sysopen(F, '/run/docker.sock', O_RDONLY)", &[EACCES]),
            ("kernel memory", "sysopen(F, '/proc/kcore', O_RDONLY)", &[2, EACCES, EPERM]),
            ("memory of init", "sysopen(F, '/proc/1/mem', O_RDONLY)", &[EACCES, EPERM]),
            ("environment of init", "sysopen(F, '/proc/1/environ', O_RDONLY) && sysread(F, $b, 1)", &[EACCES, EPERM]),
            ("descriptors of init", "readlink('/proc/1/fd/0')", &[EACCES, EPERM]),
            ("root of init", "readlink('/proc/1/root')", &[EACCES, EPERM]),
        ],
    );
    all(
        &mut launcher,
        &["observe", "change", "system"],
        &[
            ("log", "sysopen(F, '/var/lib/counter'.'sign/audit.db', O_RDONLY)", &[2, EACCES]),
            ("a disk", "sysopen(F, '/dev/vda', O_RDONLY)", &[2]),
            ("memory", "sysopen(F, '/dev/mem', O_RDONLY)", &[2]),
        ],
    );
}

#[test]
fn the_kernels_surface_is_refused_in_every_profile() {
    let mut launcher = Launcher::start();
    all(
        &mut launcher,
        &["observe", "change", "system"],
        &[
            ("mount", "S(165, 'x', '/mnt', 'tmpfs', 0, 0)", &[EPERM]),
            ("umount", "S(166, '/proc', 2)", &[EPERM]),
            ("remount", "S(165, 0, '/', 0, 0x1020, 0)", &[EPERM]),
            ("pivot_root", "S(155, '/', '/')", &[EPERM]),
            ("chroot", "S(161, '/srv')", &[EPERM]),
            ("open_tree", "S(428, -100, '/', 1)", &[EPERM]),
            ("open_tree_attr", "S(467, -100, '/', 1, 0, 0)", &[EPERM]),
            ("move_mount", "S(429, -100, '/', -100, '/', 0)", &[EPERM]),
            ("fsopen", "S(430, 'tmpfs', 0)", &[EPERM]),
            ("mount_setattr", "S(442, -100, '/', 0, 0, 0)", &[EPERM]),
            ("unshare user", "S(272, 0x10000000)", &[EPERM]),
            ("unshare mount", "S(272, 0x20000)", &[EPERM]),
            ("unshare net", "S(272, 0x40000000)", &[EPERM]),
            ("clone user", "S(56, 0x10000011, 0, 0, 0, 0)", &[EPERM]),
            ("clone3", "S(435, 0, 0)", &[ENOSYS]),
            ("a call of the future", "S(470, 0, 0)", &[ENOSYS]),
            ("the other table of calls", "S(0x40000000 + 165, 'x', '/mnt', 'tmpfs', 0, 0)", &[ENOSYS]),
            ("setns", "S(308, 0, 0)", &[EPERM]),
            ("ptrace", "S(101, 16, 1, 0, 0)", &[EPERM]),
            ("process_vm_readv", "S(310, 1, 0, 0, 0, 0, 0)", &[EPERM]),
            ("pidfd_getfd", "S(438, 0, 0, 0)", &[EPERM]),
            ("bpf", "S(321, 0, 0, 0)", &[EPERM]),
            ("perf", "S(298, 0, 0, 0, 0, 0)", &[EPERM]),
            ("userfaultfd", "S(323, 0)", &[EPERM]),
            ("keyctl", "S(250, 0, 0)", &[EPERM]),
            ("io_uring", "S(425, 1, 0)", &[EPERM]),
            ("open by handle", "S(304, 0, 0, 0)", &[EPERM]),
            ("module", "S(313, 0, '', 0)", &[EPERM]),
            ("kexec", "S(320, 0, 0, 0, '', 0)", &[EPERM]),
            ("reboot", "S(169, 0xfee1dead, 672274793, 0x89abcdef, 0)", &[EPERM]),
            ("clock", "S(227, 0, 0)", &[EPERM]),
            ("swap", "S(167, '/srv/file', 0)", &[EPERM]),
            ("ports", "S(172, 3)", &[EPERM]),
            ("accounting", "S(163, 0)", &[EPERM]),
            ("personality", "S(135, 0x0040000)", &[EPERM]),
            ("terminal input", "S(16, 0, 0x5412, 'x')", &[EPERM]),
            ("block device", "S(133, '/tmp/b', 0060600, 0x0800)", &[EPERM]),
            ("block device at", "S(259, -100, '/tmp/b', 0060600, 0x0800)", &[EPERM]),
            ("AF_PACKET", "S(41, 17, 3, 0)", &[EAFNOSUPPORT]),
            ("AF_VSOCK", "S(41, 40, 1, 0)", &[EAFNOSUPPORT]),
            ("AF_ALG", "S(41, 38, 5, 0)", &[EAFNOSUPPORT]),
        ],
    );
}

#[test]
fn no_network_socket_opens_where_there_is_no_network() {
    let mut launcher = Launcher::start();
    all(
        &mut launcher,
        &["observe", "change"],
        &[
            ("tcp", "S(41, 2, 1, 0)", &[EAFNOSUPPORT]),
            ("udp", "S(41, 2, 2, 0)", &[EAFNOSUPPORT]),
            ("raw", "S(41, 2, 3, 1)", &[EAFNOSUPPORT]),
            ("tcp 6", "S(41, 10, 1, 0)", &[EAFNOSUPPORT]),
            ("netlink audit", "S(41, 16, 3, 9)", &[EAFNOSUPPORT]),
            ("netlink filter", "S(41, 16, 3, 12)", &[EAFNOSUPPORT]),
        ],
    );
    for (socket, observe, change) in [
        ("S(41, 1, 1, 0)", 0, EAFNOSUPPORT),
        ("S(41, 16, 3, 0)", 0, EAFNOSUPPORT),
        ("S(41, 16, 3, 4)", 0, EAFNOSUPPORT),
    ] {
        assert_eq!(attempt(&mut launcher, "observe", socket), observe, "{socket}");
        assert_eq!(attempt(&mut launcher, "change", socket), change, "{socket}");
    }
    for socket in ["S(41, 1, 1, 0)", "S(41, 2, 1, 0)", "S(41, 16, 3, 12)"] {
        assert_eq!(attempt(&mut launcher, "system", socket), 0, "{socket}");
    }
}

#[test]
fn nobody_else_is_signalled_and_no_other_identity_taken() {
    let mut launcher = Launcher::start();
    let pid = launcher.pid();
    all(
        &mut launcher,
        &["observe", "change"],
        &[
            ("kill init", "S(62, 1, 0)", &[EPERM]),
            ("kill the launcher", &format!("S(62, {pid}, 0)"), &[EPERM]),
            ("setuid", "S(105, 0)", &[EPERM]),
            ("setgroups", "S(116, 0, 0)", &[EPERM]),
            ("memory file", "S(319, 'x', 0)", &[EPERM]),
        ],
    );
    assert_eq!(attempt(&mut launcher, "observe", "S(62, $$, 0)"), 0, "itself it may");
}

#[test]
fn what_is_written_to_the_private_directory_is_not_executed() {
    let mut launcher = Launcher::start();
    let ran = launcher.run(&shell("observe", "cp /bin/true /tmp/t && chmod 755 /tmp/t && /tmp/t"));
    assert_eq!(ran.status(), Some(126), "{ran:?}");
}

#[test]
fn change_changes_what_is_named_and_nothing_beside_it() {
    let mut launcher = Launcher::start_after(
        "mkdir -p srv/d/sub; echo old > srv/d/named; echo old > srv/d/beside; echo old > srv/d/sub/below; echo old > srv/outside",
    );
    let root = launcher.root();
    let read = |name: &str| fs::read_to_string(root.join(name)).unwrap();
    let ask = words(&["sed", "-i", "s/old/new/", "/srv/d/named"]).within("change");
    let plan = launcher.plan(&ask).unwrap();
    assert!(plan.targets.iter().any(|target| target.name == "/srv/d/named"), "{plan:?}");
    let ran = launcher.run(&ask);
    assert_eq!(ran.status(), Some(0), "{ran:?}");
    assert_eq!(read("srv/d/named"), "new\n");
    // The same targets, and a program that wants more than it named.
    let text = "echo x > /srv/d/named; for f in /srv/d/beside /srv/d/sub/below /srv/outside /etc/passwd; do (echo x > $f); rm -f $f; mv $f $f.away; chmod 777 $f; chown 1 $f; touch -d 2001-01-01 $f; ln -f $f /srv/d/linked; done";
    let ran = launcher.run(&words(&["sh", "-c", text]).within("change"));
    assert!(ran.status().is_some(), "{ran:?}");
    assert_eq!(read("srv/d/named"), "x\n", "{ran:?}");
    for name in ["srv/d/beside", "srv/d/sub/below", "srv/outside"] {
        assert_eq!(read(name), "old\n", "{name}");
    }
    assert!(read("etc/passwd").contains("root"));
    assert_eq!(fs::read_dir(root.join("srv/d")).unwrap().count(), 3);
}

#[test]
fn change_makes_removes_and_replaces_what_is_named() {
    let mut launcher = Launcher::start_after("mkdir -p srv/d; echo a > srv/d/a; echo b > srv/d/b");
    let root = launcher.root();
    for line in [
        &["touch", "/srv/d/new"][..],
        &["mkdir", "-p", "/srv/d/one/two"],
        &["cp", "/srv/d/a", "/srv/d/copy"],
        &["mv", "/srv/d/b", "/srv/d/moved"],
    ] {
        let ran = launcher.run(&words(line).within("change"));
        assert_eq!(ran.status(), Some(0), "{line:?}: {ran:?}");
    }
    for name in ["new", "one/two", "copy", "moved"] {
        assert!(root.join("srv/d").join(name).exists(), "{name}");
    }
    assert!(!root.join("srv/d/b").exists());
}

#[test]
fn protected_places_stay_read_only_in_system() {
    let mut launcher = Launcher::start_after("mkdir -p srv etc/sudoers.d etc/pam.d");
    all(
        &mut launcher,
        &["system"],
        &[
            ("an ordinary place", "sysopen(F, '/srv/new', O_WRONLY|O_CREAT)", &[0]),
            ("passwd", "sysopen(F, '/etc/passwd', O_WRONLY)", &[EROFS]),
            ("passwd's mode", "chmod(0666, '/etc/passwd')", &[EROFS]),
            ("replacing passwd", "rename('/srv/new', '/etc/passwd')", &[16, 18]),
            ("sudoers", "sysopen(F, '/etc/sudoers.d/x', O_WRONLY|O_CREAT)", &[EROFS]),
            ("policy", "sysopen(F, '/etc/countersign/countersign.toml', O_WRONLY)", &[EROFS]),
            ("rules", "unlink('/usr/share/countersign/rules/10-reads.toml')", &[EROFS]),
            ("sysctl", "sysopen(F, '/proc/sys/kernel/hostname', O_WRONLY)", &[EROFS]),
        ],
    );
}
