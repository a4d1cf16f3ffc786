//! What administrators do by hand goes through as it does for root, and nothing beside it.
//!
//! Each row is asked for as a request, decided by a rule of polkit because nobody's answer is the promise here, and
//! checked from outside by a command that fails before and succeeds after. One machine serves all rows of a test.

#[cfg(test)]
mod tests {
    use harness::users::AGENT;
    use harness::{Machine, Output};
    use promises::installed;

    const SETTINGS: &str = "mode = \"open\"\n[approval]\npolkit_rule_at_t3 = true\n";
    const GRANT: &str =
        "[[grant]]\nuser = \"agent\"\nceiling = \"T3\"\n[grant.budgets]\nt3_per_day = 100\nprompts_per_hour = 200\n";
    const YES: &str = "polkit.addRule(function(action) { if (action.id.indexOf('org.countersign.') == 0) return polkit.Result.YES; });\n";

    const PREPARE: &str = r#"set -e
mkdir -p /etc/ssh /etc/sudoers.d /srv/w /home/agent/.ssh /usr/local/lib/x
printf 'PermitRootLogin yes\n' > /etc/ssh/sshd_config
printf '# none\n' > /etc/crontab
printf '# none\n' > /etc/fstab
echo 'agent ALL=(root) NOPASSWD: /bin/true' > /srv/w/rule
cp /srv/w/rule /etc/sudoers.d/old
printf '[Service]\nExecStart=/bin/sleep infinity\n' > /etc/systemd/system/sleepy.service
cp /etc/systemd/system/sleepy.service /srv/w/other.service
cp /bin/true /srv/w/capable
echo one > /srv/w/one
chown -R agent /home/agent/.ssh
ln -s /etc/polkit-1/rules.d /etc/ssh/elsewhere
systemctl daemon-reload
systemctl start sleepy.service
nft add table inet guard
"#;

    fn machine() -> anyhow::Result<Machine> {
        let machine = installed()
            .before_boot(|root| {
                std::fs::write(root.join("etc/countersign/countersign.toml.d/50.toml"), SETTINGS)?;
                std::fs::write(root.join("etc/countersign/grants.d/50.toml"), GRANT)?;
                std::fs::create_dir_all(root.join("etc/polkit-1/rules.d"))?;
                Ok(std::fs::write(root.join("etc/polkit-1/rules.d/01-yes.rules"), YES)?)
            })
            .lift_protections()
            .boot()?;
        machine.run(["sh", "-c", PREPARE])?.ok()?;
        Ok(machine)
    }

    /// The client's words before those of the command, which are split as a shell would.
    fn client(machine: &Machine, sort: &str, command: &str) -> anyhow::Result<Output> {
        let script = format!("exec countersign {sort} -- {command}");
        machine.run_as(AGENT, ["sh", "-c", &script])
    }

    fn holds(machine: &Machine, check: &str) -> anyhow::Result<bool> {
        Ok(machine.run(["sh", "-c", check])?.success())
    }

    fn profile_of(machine: &Machine, command: &str) -> anyhow::Result<String> {
        let plan: serde_json::Value = serde_json::from_str(&client(machine, "plan --json", command)?.ok()?.stdout)?;
        Ok(plan["profile"].as_str().unwrap_or_default().to_owned())
    }

    /// A profile, a command in the words of a shell, and what is so after it and not before.
    type Row = (&'static str, &'static str, &'static str);

    const WORKS: &[Row] = &[
        // The files that say who may do what, what boots and what runs: each by name.
        ("named", "sed -i 's/yes/no/' /etc/ssh/sshd_config", "grep -q 'PermitRootLogin no' /etc/ssh/sshd_config"),
        ("named", "cp -a /etc/ssh/sshd_config /etc/ssh/sshd_config.bak", "test -e /etc/ssh/sshd_config.bak"),
        ("named", "install -m 440 /srv/w/rule /etc/sudoers.d/new", "test $(stat -c %a /etc/sudoers.d/new) = 440"),
        ("named", "rm /etc/sudoers.d/old", "! test -e /etc/sudoers.d/old"),
        (
            "named",
            "sh -c 'echo ssh-ed25519 AAAA >> /home/agent/.ssh/authorized_keys'",
            "grep -q AAAA /home/agent/.ssh/authorized_keys",
        ),
        (
            "named",
            "sed -i 's/^passwd:.*/passwd: files/' /etc/nsswitch.conf",
            "grep -qx 'passwd: files' /etc/nsswitch.conf",
        ),
        (
            "named",
            "sed -i 's/none/some/' /etc/fstab /etc/crontab",
            "grep -q some /etc/fstab && grep -q some /etc/crontab",
        ),
        ("named", "sh -c 'echo LEVEL=3 >> /etc/environment'", "grep -q LEVEL=3 /etc/environment"),
        (
            "named",
            "mv /srv/w/other.service /etc/systemd/system/other.service",
            "test -e /etc/systemd/system/other.service && ! test -e /srv/w/other.service",
        ),
        ("named", "setcap cap_net_raw+ep /srv/w/capable", "getcap /srv/w/capable | grep -q cap_net_raw"),
        ("kernel", "sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'", "grep -q 1 /proc/sys/net/ipv4/ip_forward"),
        // Somebody else, and other roots.
        ("switch", "runuser -u agent -- touch /home/agent/own", "test $(stat -c %U /home/agent/own) = agent"),
        ("switch", "sudo -u agent touch /home/agent/too", "test $(stat -c %U /home/agent/too) = agent"),
        ("switch", "sudo systemctl stop sleepy.service", "! systemctl is-active -q sleepy.service"),
        ("switch", "sudo cp /srv/w/one /srv/w/two", "test -e /srv/w/two"),
        ("switch", "chroot / touch /srv/w/three", "test -e /srv/w/three"),
        // Tools of Debian that lock in /run, the keys of the machine, and second names.
        ("users", "addgroup crew", "getent group crew"),
        ("users", "adduser --disabled-password --gecos x carol", "test -d /home/carol && id carol"),
        ("users", "adduser carol crew", "id -nG carol | grep -q crew"),
        ("packages", "ssh-keygen -A", "test -e /etc/ssh/ssh_host_ed25519_key"),
        ("change", "ln /srv/w/one /srv/w/first", "test $(stat -c %h /srv/w/first) = 2"),
    ];

    #[test]
    fn what_is_done_by_hand_is_done() -> anyhow::Result<()> {
        let machine = machine()?;
        for (profile, command, check) in WORKS {
            assert!(!holds(&machine, check)?, "{command}: it is so before");
            assert_eq!(profile_of(&machine, command)?, *profile, "{command}");
            let output = client(&machine, "run", command)?;
            assert!(output.success() && holds(&machine, check)?, "{command}: {output:?}");
        }
        // Reads that are kept for root fail at T0, and work as somebody asks for who says that root is needed.
        for (command, shown) in [
            ("sudo chage -l carol", "Password expires"),
            ("sudo passwd -S carol", "carol L"),
            ("sudo visudo -c", "/etc/sudoers: parsed OK"),
            ("sudo prlimit --pid 1", "NOFILE"),
            ("sudo nft list tables", "table inet guard"),
        ] {
            let output = client(&machine, "run", command)?.ok()?;
            assert!(output.stdout.contains(shown), "{command}: {output:?}");
        }
        Ok(())
    }

    #[test]
    fn what_is_not_named_stays_as_it_is() -> anyhow::Result<()> {
        let machine = machine()?;
        for (profile, command, untouched) in [
            // A tool that steers does not open what is protected from it: edit first, then steer.
            (
                "services",
                "sh -c 'sed -i s/yes/no/ /etc/ssh/sshd_config && systemctl stop sleepy'",
                "grep -q yes /etc/ssh/sshd_config && systemctl is-active sleepy",
            ),
            // What sudo runs is no wider than what runs sudo.
            ("switch", "sudo useradd dave", "! getent passwd dave"),
            // A link of root's does not lead to who approves.
            ("named", "cp /srv/w/one /etc/ssh/elsewhere/02.rules", "! test -e /etc/polkit-1/rules.d/02.rules"),
        ] {
            assert_eq!(profile_of(&machine, command)?, profile, "{command}");
            let output = client(&machine, "run", command)?;
            assert!(!output.success() && holds(&machine, untouched)?, "{command}: {output:?}");
        }
        Ok(())
    }
}
