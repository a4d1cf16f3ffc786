//! The commands that are measured: what people type, and the worst that fits into 64 KiB.
//!
//! Enters: how many bytes. Leaves: a command of at most that many and at most 1,024 words.

use countersign_core::argv::{Argv, MAX_WORDS};

/// What people type; no quotes.
pub(crate) const TYPICAL: [&str; 20] = [
    "ls -la /var/log",
    "cat /etc/os-release",
    "systemctl status nginx",
    "systemctl restart nginx.service",
    "journalctl -u nginx --since yesterday -n 100 --no-pager",
    "df -h",
    "ps aux",
    "grep -rn listen /etc/nginx",
    "find /var/log -name *.log -mtime -1",
    "tail -n 50 /var/log/syslog",
    "ip -br addr show",
    "ss -tlnp",
    "apt-get install -y nginx",
    "docker ps -a",
    "git log --oneline -n 20",
    "cp /etc/nginx/nginx.conf /etc/nginx/nginx.conf.bak",
    "chmod 644 /srv/www/index.html",
    "rm -rf /srv/www/old",
    "sudo -u postgres psql -l",
    "tar -czf /srv/backup/www.tgz /var/www",
];

/// A name, and a command of at most so many bytes.
type Case = (&'static str, fn(usize) -> Option<Argv>);

/// The worst.
pub(crate) const WORST: [Case; 24] = [
    ("one word repeated", |bytes| repeated(&["ls"], &["a"], bytes)),
    ("long paths", |bytes| repeated(&["cat"], &["/srv/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y"], bytes)),
    ("paths with dots", |bytes| {
        repeated(&["cat"], &["/../.././a/../b//c/../../etc/x/../../var/lib/../../etc/y"], bytes)
    }),
    ("files to remove, recursively", |bytes| repeated(&["rm", "-rf"], &["../../srv/a/b/../c"], bytes)),
    ("modes of many files", |bytes| repeated(&["chmod", "-R", "644"], &["/etc/a/../b"], bytes)),
    ("unknown options", |bytes| repeated(&["systemctl"], &["--unknown-option-of-some-length=with-a-value-too"], bytes)),
    ("abbreviated options", |bytes| repeated(&["journalctl"], &["--no", "--out", "--si", "--u"], bytes)),
    ("short options together", |bytes| {
        Argv::new(vec!["ls".into(), format!("-{}", "alRtqQ".repeat(bytes.saturating_sub(8) / 6))]).ok()
    }),
    ("an unknown program", |bytes| repeated(&["frobnicate"], &["mkfs.ext4", "/srv/rm", "dd", "find"], bytes)),
    ("many rules", |bytes| repeated(&["frobnicate"], &["systemctl", "apt", "docker", "git", "ip", "kubectl"], bytes)),
    ("nested wrappers", |bytes| nested(&["nice", "-n", "5"], bytes)),
    ("nested wrappers that are not understood", |bytes| nested(&["sudo", "--frob"], bytes)),
    ("nested assignments", |bytes| nested(&["env", "-i", "A=b"], bytes)),
    ("nested shells", |bytes| nested(&["watch"], bytes)),
    ("find's commands", |bytes| repeated(&["find", "/srv", "/var"], &["-exec", "cat", "{}", ";"], bytes)),
    ("shell words", |bytes| shell("cat /etc/hosts ../x; ", "", bytes)),
    ("shell text in quotes in quotes", |bytes| quotes(bytes)),
    ("shell redirections", |bytes| shell("a >/srv/x 2>>/srv/y </etc/z; ", "", bytes)),
    ("shell directories", |bytes| shell("cd ../a && ", "ls", bytes)),
    ("shell globs", |bytes| shell("cat /e*/?[a-z]*/*b*c*d*; ", "", bytes)),
    ("opaque words", |bytes| shell("rm -rf ./$x; ", "", bytes)),
    ("opaque text without blanks", |bytes| shell("$(((`'\"{|&x", "", bytes)),
    ("opaque functions", |bytes| shell("f(){ f|g& };", "", bytes)),
    ("code", |bytes| {
        Argv::new(vec![
            "python3".into(),
            "-c".into(),
            filled("os.system(\"rm -rf x\");", 1_000, bytes.saturating_sub(20)),
        ])
        .ok()
    }),
];

/// A command line at its blanks.
pub(crate) fn split(line: &str) -> Option<Argv> {
    Argv::new(line.split(' ').map(str::to_owned).collect()).ok()
}

/// Rules of an administrator: for programs that nobody uses and for some that everybody does.
pub(crate) fn admin_rules(count: usize) -> String {
    let table = |number: usize| {
        let name = match number {
            0..5 => "ls".to_owned(),
            5..10 => "systemctl".to_owned(),
            _ => format!("own-program-{number}"),
        };
        format!("[[program]]\nnames = [\"{name}\"]\ntier = \"T2\"\nreason = \"Ours.\"\noperands = [\"<=x{number}>\"]\n")
    };
    (0..count).map(table).collect()
}

/// A beginning, then the same words again and again.
fn repeated(first: &[&str], again: &[&str], bytes: usize) -> Option<Argv> {
    let head: usize = first.iter().map(|word| word.len().saturating_add(1)).sum();
    let one: usize = again.iter().map(|word| word.len().saturating_add(1)).sum();
    // Four times the bytes are to be four times the words, up to as many as there may be.
    let words = MAX_WORDS.saturating_mul(bytes) / (64 * 1_024);
    let fit = words.saturating_sub(first.len()).checked_div(again.len()).unwrap_or(0);
    let rounds = bytes.saturating_sub(head).checked_div(one).unwrap_or(0).min(fit);
    let all = first.iter().chain(std::iter::repeat_n(again, rounds).flatten());
    Argv::new(all.map(|word| (*word).to_owned()).collect()).ok()
}

/// 60 wrappers, and a long command inside.
fn nested(wrapper: &[&str], bytes: usize) -> Option<Argv> {
    let outer: Vec<&str> = std::iter::repeat_n(wrapper, 60).flatten().copied().chain(["cat"]).collect();
    repeated(&outer, &["../a/b/../c/rm/dd/mkfs"], bytes)
}

/// Shell text again and again, of at most 900 words.
fn shell(again: &str, last: &str, bytes: usize) -> Option<Argv> {
    Argv::shell(format!("{}{last}", filled(again, 900, bytes.saturating_sub(32)))).ok()
}

fn filled(again: &str, words: usize, bytes: usize) -> String {
    let most = words.saturating_mul(bytes) / (64 * 1_024);
    let rounds = most.checked_div(again.split_whitespace().count()).unwrap_or(0);
    let text = again.repeat(bytes.checked_div(again.len()).unwrap_or(0).min(rounds));
    let left = bytes.saturating_sub(text.len());
    // The rest of the bytes in one word that is read with all others.
    format!("{text}{}", "x".repeat(left.saturating_sub(8)))
}

/// `sh -c` in `sh -c`, as often as the quotes fit.
fn quotes(bytes: usize) -> Option<Argv> {
    let mut text = format!("cat {}", "/etc/hosts ".repeat(bytes / 400));
    loop {
        let outer = format!("sh -c '{}'", text.replace('\'', "'\\''"));
        if outer.len() > bytes.saturating_sub(32) {
            return Argv::shell(text).ok();
        }
        text = outer;
    }
}
