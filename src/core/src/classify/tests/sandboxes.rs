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
        ("system", "sudo systemctl restart nginx"),
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
        ("kernel", "sed -i s/a/b/ /etc/fstab"),
        ("kernel", "tee /etc/sysctl.d/99-x.conf"),
        ("services", "cp /srv/x.service /etc/systemd/system/x.service"),
        ("services", "rm /etc/cron.d/x"),
        ("users", "cp /srv/group /etc/group"),
        ("storage", "cp /srv/image /dev/sdb"),
        ("storage", "dd if=/dev/sdb of=/srv/image"),
        ("system", "mv /srv/x.service /etc/systemd/system/x.service"),
        ("system", "cp /srv/x /etc/sudoers.d/x"),
        ("system", "rm /etc/cron.d-x /etc/fstab.old"),
        ("system", "curl -o /srv/x http://localhost > /dev/null"),
    ] {
        assert_eq!(line(command).profile.as_str(), profile, "{command}");
    }
}
