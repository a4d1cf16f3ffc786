//! A machine boots with its real parts, and is not the host.

use std::fs;

use crate::{Machine, users};

#[test]
fn boots_to_running_with_systemd_as_pid_1() {
    let machine = Machine::boot().unwrap();
    let exe = machine.run(["readlink", "/proc/1/exe"]).unwrap().ok().unwrap();
    assert_eq!(exe.stdout.trim(), "/usr/lib/systemd/systemd");
    let failed = machine.run(["systemctl", "--failed", "--no-legend"]).unwrap();
    assert_eq!(failed.stdout, "");
    let state = machine.run(["systemctl", "is-system-running"]).unwrap();
    assert_eq!(state.stdout.trim(), "running");
    assert_eq!(machine.run(["hostname"]).unwrap().stdout.trim(), machine.name());
}

#[test]
fn bus_logind_and_polkit_answer_a_plain_user() {
    let machine = Machine::boot().unwrap();
    for property in [
        "org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager Version",
        "org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager IdleHint",
        "org.freedesktop.PolicyKit1 /org/freedesktop/PolicyKit1/Authority org.freedesktop.PolicyKit1.Authority BackendVersion",
    ] {
        let get = ["busctl", "get-property"].into_iter().chain(property.split(' '));
        machine.run_as(users::AGENT, get).unwrap().ok().unwrap();
    }
}

#[test]
fn network_is_private_and_loopback_is_up() {
    let machine = Machine::boot().unwrap();
    let links = machine.run(["ip", "-brief", "address"]).unwrap().ok().unwrap().stdout;
    assert_eq!(links.lines().count(), 1, "{links}");
    assert!(links.starts_with("lo ") && links.contains("127.0.0.1/8"), "{links}");
}

#[test]
fn what_is_installed_before_boot_starts_with_it() {
    let unit = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=echo started with the machine\n[Install]\nWantedBy=multi-user.target\n";
    let machine = Machine::builder()
        .before_boot(|root| {
            let units = root.join("etc/systemd/system");
            fs::create_dir(units.join("multi-user.target.wants"))?;
            fs::write(units.join("installed.service"), unit)?;
            let link = units.join("multi-user.target.wants/installed.service");
            Ok(std::os::unix::fs::symlink("../installed.service", link)?)
        })
        .boot()
        .unwrap();
    machine.run(["systemctl", "is-active", "installed"]).unwrap().ok().unwrap();
    assert!(machine.journal("installed").unwrap().contains("started with the machine"));
}

#[test]
fn files_are_the_machines_own() {
    let machine = Machine::boot().unwrap();
    let path = "/etc/only-in-the-machine";
    assert!(!machine.exists(path).unwrap());
    machine.write(path, "inside").unwrap();
    assert_eq!(machine.read(path).unwrap(), "inside");
    assert_eq!(machine.run(["cat", path]).unwrap().stdout, "inside");
    assert!(!fs::exists(path).unwrap());
}

#[test]
fn an_absolute_link_inside_does_not_lead_to_the_host() {
    let machine = Machine::boot().unwrap();
    machine.run(["ln", "-s", "/etc/hostname", "/root/link"]).unwrap().ok().unwrap();
    assert_eq!(machine.read("/root/link").unwrap().trim(), machine.name());
    machine.run(["ln", "-s", "/nowhere", "/root/dangling"]).unwrap().ok().unwrap();
    assert!(machine.exists("/root/dangling").unwrap());
    machine.read("/root/dangling").unwrap_err();
}

#[test]
fn a_failing_hook_is_the_boots_error() {
    let boot = Machine::builder().before_boot(|_| anyhow::bail!("no such package")).boot();
    let error = boot.err().unwrap();
    assert!(format!("{error:#}").contains("no such package"), "{error:#}");
}
