//! Ordinary administration goes through by the rules that ship, each kind in the profile that its rule names.
//!
//! The machine runs without the covers of the container it boots in. What is asked for is checked from outside: by the
//! machine's own state, never by the job's word.

#[cfg(test)]
mod tests {
    use harness::users::AGENT;
    use harness::{Machine, Output};
    use promises::{PATIENCE, approve_the_waiting, ask, installed};

    fn machine() -> anyhow::Result<Machine> {
        installed().lift_protections().boot()
    }

    /// Asks as the agent, approves as the administrator, and waits for success.
    fn administer(machine: &Machine, words: &[&str]) -> anyhow::Result<Output> {
        let mut client = ask(machine, words)?;
        approve_the_waiting(machine)?;
        client.wait(PATIENCE)?.ok()
    }

    /// Asks for a read, which nobody approves.
    fn read(machine: &Machine, words: &[&str]) -> anyhow::Result<String> {
        let words = ["countersign", "run", "--"].iter().chain(words).map(|word| (*word).to_owned());
        Ok(machine.run_as(AGENT, words)?.ok()?.stdout)
    }

    fn profile_of(machine: &Machine, words: &[&str]) -> anyhow::Result<String> {
        let words = ["countersign", "plan", "--json", "--"].iter().chain(words).map(|word| (*word).to_owned());
        let plan: serde_json::Value = serde_json::from_str(&machine.run_as(AGENT, words)?.ok()?.stdout)?;
        Ok(plan["profile"].as_str().unwrap_or_default().to_owned())
    }

    #[test]
    fn accounts_are_made_changed_and_removed() -> anyhow::Result<()> {
        let machine = machine()?;
        assert_eq!(profile_of(&machine, &["useradd", "carol"])?, "users");
        administer(&machine, &["groupadd", "crew"])?;
        administer(&machine, &["useradd", "-m", "-s", "/bin/bash", "-G", "crew", "carol"])?;
        let found = machine.run(["id", "-nG", "carol"])?.ok()?.stdout;
        assert!(found.contains("crew"), "{found}");
        let home = machine.run(["stat", "-c", "%U %A", "/home/carol", "/home/carol/.bashrc"])?.ok()?.stdout;
        assert_eq!(home.matches("carol ").count(), 2, "{home}");
        administer(&machine, &["usermod", "-m", "-d", "/home/caroline", "carol"])?;
        assert!(machine.read("/etc/passwd")?.contains(":/home/caroline:"));
        assert!(machine.exists("/home/caroline/.bashrc")? && !machine.exists("/home/carol")?);
        assert!(machine.read("/etc/shadow")?.contains("carol:!:"));
        // With her files it would be T3, which the mode of a fresh installation does not allow.
        administer(&machine, &["userdel", "carol"])?;
        assert!(!machine.read("/etc/passwd")?.contains("carol") && !machine.read("/etc/shadow")?.contains("carol"));
        for left in ["/etc/passwd.lock", "/etc/shadow.lock", "/etc/passwd+"] {
            assert!(!machine.exists(left)?, "{left}");
        }
        Ok(())
    }

    #[test]
    fn a_file_in_etc_is_replaced_by_cp_and_nothing_beside_it() -> anyhow::Result<()> {
        let machine = machine()?;
        machine.write("/etc/tool.conf", "old\n")?;
        machine.write("/var/lib/new.conf", "new\n")?;
        let copy = ["cp", "/var/lib/new.conf", "/etc/tool.conf"];
        assert_eq!(profile_of(&machine, &copy)?, "change");
        administer(&machine, &copy)?;
        assert_eq!(machine.read("/etc/tool.conf")?, "new\n");
        administer(&machine, &["cp", "-a", "/var/lib/new.conf", "/etc/made.conf"])?;
        assert_eq!(machine.read("/etc/made.conf")?, "new\n");
        Ok(())
    }

    const UNIT: &str = "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n";

    #[test]
    fn units_are_steered_and_their_files_edited() -> anyhow::Result<()> {
        let machine = machine()?;
        machine.write("/etc/systemd/system/sleepy.service", UNIT)?;
        let pid = || -> anyhow::Result<String> {
            Ok(machine.run(["systemctl", "show", "-P", "MainPID", "sleepy.service"])?.ok()?.stdout)
        };
        assert_eq!(profile_of(&machine, &["systemctl", "restart", "sleepy.service"])?, "services");
        administer(&machine, &["systemctl", "daemon-reload"])?;
        administer(&machine, &["systemctl", "enable", "--now", "sleepy.service"])?;
        assert!(machine.exists("/etc/systemd/system/multi-user.target.wants/sleepy.service")?);
        let before = pid()?;
        administer(&machine, &["systemctl", "restart", "sleepy.service"])?;
        let after = pid()?;
        assert!(before != after && after != "0\n", "{before} {after}");
        administer(&machine, &["systemctl", "stop", "sleepy.service"])?;
        assert_eq!(pid()?, "0\n");
        Ok(())
    }

    #[test]
    fn a_shutdown_is_scheduled_and_taken_back() -> anyhow::Result<()> {
        let machine = machine()?;
        administer(&machine, &["shutdown", "-r", "+600"])?;
        assert!(machine.exists("/run/systemd/shutdown/scheduled")?);
        administer(&machine, &["shutdown", "-c"])?;
        assert!(!machine.exists("/run/systemd/shutdown/scheduled")?);
        Ok(())
    }

    /// A package with a daemon, a unit and a system user, built where it is installed.
    const BUILD: &str = r#"set -e
mkdir -p /srv/p/DEBIAN /srv/p/usr/sbin /srv/p/lib/systemd/system /srv/p/etc /srv/p/usr/share/polkit-1/rules.d
cat > /srv/p/DEBIAN/control <<end
Package: tinyd
Version: 1.0
Architecture: all
Maintainer: Nobody <nobody@example.org>
Description: a daemon that does nothing
end
printf '#!/bin/sh\nexec sleep infinity\n' > /srv/p/usr/sbin/tinyd
printf '[Service]\nUser=tinyd\nExecStart=/usr/sbin/tinyd\n[Install]\nWantedBy=multi-user.target\n' > /srv/p/lib/systemd/system/tinyd.service
echo setting > /srv/p/etc/tinyd.conf
echo '// nothing' > /srv/p/usr/share/polkit-1/rules.d/90-tinyd.rules
echo /etc/tinyd.conf > /srv/p/DEBIAN/conffiles
cat > /srv/p/DEBIAN/postinst <<'end'
#!/bin/sh
set -e
getent passwd tinyd >/dev/null || useradd --system --home-dir /var/lib/tinyd --create-home tinyd
systemctl daemon-reload
systemctl enable --now tinyd.service
end
cat > /srv/p/DEBIAN/prerm <<'end'
#!/bin/sh
set -e
systemctl disable --now tinyd.service
end
chmod 755 /srv/p/usr/sbin/tinyd /srv/p/DEBIAN/postinst /srv/p/DEBIAN/prerm
dpkg-deb --root-owner-group --build /srv/p /srv/tinyd.deb >/dev/null
"#;

    #[test]
    fn a_package_with_a_daemon_and_a_system_user_is_installed_and_purged() -> anyhow::Result<()> {
        let machine = machine()?;
        machine.run(["sh", "-c", BUILD])?.ok()?;
        let install = ["apt-get", "install", "-y", "--no-install-recommends", "/srv/tinyd.deb"];
        assert_eq!(profile_of(&machine, &install)?, "packages");
        let output = administer(&machine, &install)?;
        machine.run(["systemctl", "is-active", "--quiet", "tinyd.service"])?.ok()?;
        let owner = machine.run(["ps", "-o", "user=", "-C", "sleep"])?.ok()?.stdout;
        assert!(owner.contains("tinyd"), "{owner} {output:?}");
        assert_eq!(machine.run(["stat", "-c", "%U", "/var/lib/tinyd"])?.ok()?.stdout, "tinyd\n");
        assert_eq!(machine.read("/etc/tinyd.conf")?, "setting\n");
        administer(&machine, &["apt-get", "purge", "-y", "tinyd"])?;
        assert!(!machine.exists("/usr/sbin/tinyd")? && !machine.exists("/etc/tinyd.conf")?);
        assert_ne!(machine.run(["systemctl", "is-active", "--quiet", "tinyd.service"])?.code, 0);
        Ok(())
    }

    #[test]
    fn filters_links_and_network_parameters_are_set() -> anyhow::Result<()> {
        let machine = machine()?;
        assert_eq!(profile_of(&machine, &["nft", "add", "table", "inet", "guard"])?, "network");
        administer(&machine, &["nft", "add", "table", "inet", "guard"])?;
        assert!(machine.run(["nft", "list", "tables"])?.ok()?.stdout.contains("inet guard"));
        administer(&machine, &["ip", "link", "add", "name", "wire0", "type", "veth", "peer", "name", "wire1"])?;
        administer(&machine, &["ip", "addr", "add", "192.0.2.7/24", "dev", "wire0"])?;
        assert!(read(&machine, &["cat", "/proc/net/dev"])?.contains("wire0"), "reads share the machine's network");
        assert!(machine.run(["ip", "addr"])?.ok()?.stdout.contains("192.0.2.7/24"));
        assert_eq!(profile_of(&machine, &["sysctl", "-w", "net.ipv4.ip_forward=1"])?, "kernel");
        for value in ["1", "0"] {
            administer(&machine, &["sysctl", "-w", &format!("net.ipv4.ip_forward={value}")])?;
            let found = machine.run(["cat", "/proc/sys/net/ipv4/ip_forward"])?.ok()?.stdout;
            assert_eq!(found.trim(), value);
        }
        Ok(())
    }

    fn is_mounted(machine: &Machine, path: &str) -> anyhow::Result<bool> {
        Ok(machine.run(["mountpoint", "-q", path])?.success())
    }

    #[test]
    fn a_mount_reaches_the_machine_and_so_does_its_end() -> anyhow::Result<()> {
        let machine = installed().lift_protections().nspawn_option("--bind=/dev/loop-control").boot()?;
        let prepare = "mkdir -p /mnt/disk /data; truncate -s 16M /srv/image; for n in 0 1 2 3 4 5 6 7; do mknod -m 600 /dev/loop$n b 7 $n; done";
        machine.run(["sh", "-c", prepare])?.ok()?;
        let mounts = || -> anyhow::Result<String> { Ok(machine.run(["findmnt", "-rno", "TARGET"])?.ok()?.stdout) };
        // The broker's unit has a mount of its own while it runs, for its credential.
        machine.run(["systemctl", "start", "countersignd"])?.ok()?;
        let before = mounts()?;
        machine.run(["mkfs.ext4", "-q", "/srv/image"])?.ok()?;
        assert_eq!(profile_of(&machine, &["mount", "-o", "loop", "/srv/image", "/mnt/disk"])?, "storage");
        for place in ["/mnt/disk", "/data"] {
            administer(&machine, &["mount", "-o", "loop", "/srv/image", place])?;
            assert!(is_mounted(&machine, place)?, "{place}: {}", mounts()?);
            assert!(machine.exists(format!("{place}/lost+found"))?);
            let shown = read(&machine, &["df", "-h", place])?;
            assert!(shown.contains(place), "{shown}");
            administer(&machine, &["umount", place])?;
            assert!(!is_mounted(&machine, place)?, "{place}: {}", mounts()?);
        }
        assert_eq!(mounts()?, before, "nothing of the job's own view is left behind");
        assert_eq!(machine.run(["losetup", "-j", "/srv/image"])?.ok()?.stdout, "", "the loop device is free again");
        Ok(())
    }

    #[test]
    fn reads_show_the_machine() -> anyhow::Result<()> {
        let machine = machine()?;
        let mut listener = machine.spawn_as("root", ["python3", "-c", "import socket; s = socket.socket(); s.bind(('127.0.0.1', 4711)); s.listen(); print('up', flush=True); s.accept()"])?;
        promises::until("the listener", || Ok(read(&machine, &["ss", "-tln"])?.contains(":4711").then_some(())))?;
        machine.run(["logger", "--tag", "marker", "seen through the sandbox"])?.ok()?;
        promises::until("the journal", || {
            Ok(read(&machine, &["journalctl", "-n", "20", "--no-pager"])?
                .contains("seen through the sandbox")
                .then_some(()))
        })?;
        assert!(read(&machine, &["ss", "-tlnp"])?.contains(":4711"));
        assert!(read(&machine, &["ip", "addr"])?.contains("127.0.0.1/8"));
        assert_eq!(profile_of(&machine, &["dmesg"])?, "kernel-log");
        assert!(!read(&machine, &["dmesg"])?.is_empty() && !read(&machine, &["dmesg", "-S"])?.is_empty());
        assert!(read(&machine, &["lsof", "-nP"])?.contains("lsof"));
        assert!(read(&machine, &["systemctl", "status", "dbus.service"])?.contains("active (running)"));
        assert!(listener.is_running()?);
        Ok(())
    }

    #[test]
    fn df_shows_the_machines_file_systems_and_not_the_jobs_own() -> anyhow::Result<()> {
        let machine = machine()?;
        let places = |text: &str| -> Vec<String> {
            text.lines().skip(1).filter_map(|line| line.split_whitespace().last()).map(str::to_owned).collect()
        };
        let seen = places(&read(&machine, &["df"])?);
        let real = places(&machine.run(["df"])?.ok()?.stdout);
        let replaced = |place: &&String| ["/tmp", "/dev"].contains(&place.as_str());
        for place in real.iter().filter(|place| !replaced(place)) {
            assert!(seen.contains(place), "{place} is missing: {seen:?}");
        }
        let own: Vec<&String> = seen.iter().filter(|place| !real.contains(place)).collect();
        assert!(own.iter().all(replaced), "{own:?}, besides {real:?}");
        Ok(())
    }

    #[test]
    fn messages_are_thrown_away_only_with_approval() -> anyhow::Result<()> {
        let machine = machine()?;
        let clear = ["countersign", "run", "--profile", "kernel-log", "--", "dmesg", "-C"];
        let refused = machine.run_as(AGENT, clear)?;
        assert_eq!(refused.code, 120, "the profile of reading is not within that of clearing: {refused:?}");
        Ok(())
    }
}
