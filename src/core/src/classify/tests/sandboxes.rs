//! Which sandbox a request gets: the narrowest in which its tools work.

use super::line;

#[test]
fn a_sandbox_is_the_one_in_which_the_tool_works() {
    for (profile, command) in [
        ("change", "cp -r /srv/a /srv/b"),
        ("kernel", "dmesg -C"),
        ("services", "systemctl restart nginx"),
        ("services", "systemctl restart nginx && echo done > /srv/note"),
        ("system", "systemctl restart nginx; curl http://localhost"),
        ("switch", "sudo systemctl restart nginx"),
        ("switch", "sudo cp /srv/a /srv/b"),
        ("switch", "runuser -u bob -- ls"),
        ("switch", "sh -c 'sudo frobnicate'"),
        ("packages", "sudo apt-get install nginx"),
        ("switch", "sudo useradd bob"),
        ("packages", "apt-get install --frobnicate nginx"),
    ] {
        assert_eq!(line(command).profile.as_str(), profile, "{command}");
    }
}

#[test]
fn a_read_that_names_a_sandbox_takes_plain_reads_along() {
    for (profile, command) in
        [("observe", "ls / | grep x"), ("kernel-log", "dmesg"), ("kernel-log", "dmesg -T | grep -i oom | tail")]
    {
        assert_eq!(line(command).profile.as_str(), profile, "{command}");
    }
}

#[test]
fn what_is_written_opens_the_sandbox_that_may_write_there() {
    for (profile, command) in [
        ("named", "sed -i s/a/b/ /etc/fstab"),
        ("named", "sed -i s/a/b/ /etc/fstab /etc/hosts"),
        ("named", "tee /etc/sysctl.d/99-x.conf"),
        ("named", "cp /srv/x.service /etc/systemd/system/x.service"),
        ("named", "mv /srv/x.service /etc/systemd/system/x.service"),
        ("named", "rm /etc/cron.d/x"),
        ("named", "cp /srv/group /etc/group"),
        ("named", "cp /srv/x /etc/sudoers.d/x"),
        ("named", "tee -a /home/bob/.ssh/authorized_keys"),
        ("named", "sed -i s/a/b/ /etc/ssh/sshd_config"),
        ("named", "setcap cap_net_raw+ep /srv/x"),
        ("kernel", "tee /proc/sys/net/ipv4/ip_forward"),
        ("storage", "cp /srv/image /dev/sdb"),
        ("storage", "dd if=/dev/sdb of=/srv/image"),
        ("system", "rm /etc/cron.d-x /etc/fstab.old"),
        ("system", "curl -o /srv/x http://localhost > /dev/null"),
        // One that steers something does not open what is protected from it.
        ("services", "sed -i s/a/b/ /etc/ssh/sshd_config && systemctl reload ssh"),
    ] {
        assert_eq!(line(command).profile.as_str(), profile, "{command}");
    }
}
