//! An ask: what a caller wants of the broker, before anybody has looked at it.
//!
//! Leaves as the dictionary that `Plan` and `Submit` take. Nothing is checked here: the broker's bounds are the only
//! ones, so that no second set of them can drift.

use std::collections::HashMap;
use std::os::fd::OwnedFd;

use zbus::Variant;

use crate::proxy::Dictionary;

/// What is to run.
#[derive(Debug)]
pub enum What {
    /// These words.
    Argv(Vec<String>),
    /// This line of shell text.
    Shell(String),
    /// These, one after another, approved once and as a whole. Of each step only what a command has for itself is sent.
    Steps(Vec<Ask>),
}

/// A request as the client makes it.
#[derive(Debug)]
pub struct Ask {
    /// What is to run.
    pub what: What,
    /// Where: an absolute path.
    pub cwd: String,
    /// What is added to the environment.
    pub env: HashMap<String, String>,
    /// A sealed memory file that becomes stdin.
    pub stdin: Option<OwnedFd>,
    /// Where the job's output goes, stdout and stderr; without it only a preview comes back.
    pub output: Option<(OwnedFd, OwnedFd)>,
    /// The time that the job may take, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// Why, in the caller's words.
    pub reason: Option<String>,
    /// Who the caller says it is.
    pub agent: Option<String>,
    /// Nothing else may be changed.
    pub targets: Vec<String>,
    /// The highest tier that the caller accepts.
    pub max_tier: Option<String>,
    /// A narrower sandbox.
    pub profile: Option<String>,
    /// Values that the broker hides wherever they stand.
    pub secrets: Vec<String>,
    /// The request outlives the caller's connection.
    pub detach: bool,
    /// Only for a plan: everything that stands in its way is told, not only the first.
    pub all: bool,
}

impl Ask {
    /// An ask with nothing but what is to run and where.
    #[must_use]
    pub fn new(what: What, cwd: String) -> Self {
        Self {
            what,
            cwd,
            env: HashMap::new(),
            stdin: None,
            output: None,
            timeout_ms: None,
            reason: None,
            agent: None,
            targets: Vec::new(),
            max_tier: None,
            profile: None,
            secrets: Vec::new(),
            detach: false,
            all: false,
        }
    }

    /// The dictionary of the bus. Keys that were not set are left out.
    #[must_use]
    pub fn dictionary(&self) -> Dictionary<'_> {
        let cwd = ("cwd", Variant::from(self.cwd.as_str()));
        let mut keys: Dictionary<'_> = match &self.what {
            What::Argv(words) => HashMap::from([cwd, ("argv", Variant::from(words))]),
            What::Shell(text) => HashMap::from([cwd, ("shell", Variant::from(text.as_str()))]),
            What::Steps(steps) => {
                HashMap::from([("steps", Variant::from(steps.iter().map(Self::dictionary).collect::<Vec<_>>()))])
            }
        };
        let texts = [
            ("reason", &self.reason),
            ("agent", &self.agent),
            ("max_tier", &self.max_tier),
            ("profile", &self.profile),
        ];
        keys.extend(texts.into_iter().filter_map(|(key, text)| Some((key, Variant::from(text.as_deref()?)))));
        keys.extend(self.timeout_ms.map(|ms| ("timeout_ms", Variant::from(ms))));
        keys.extend((!self.targets.is_empty()).then(|| ("targets", Variant::from(&self.targets))));
        keys.extend((!self.secrets.is_empty()).then(|| ("secrets", Variant::from(&self.secrets))));
        keys.extend((!self.env.is_empty()).then(|| ("env", Variant::from(self.env.clone()))));
        keys.extend(self.detach.then(|| ("detach", Variant::from(true))));
        keys.extend(self.all.then(|| ("all", Variant::from(true))));
        keys.extend(self.stdin.as_ref().map(|fd| ("stdin", Variant::Fd(fd.into()))));
        if let Some((stdout, stderr)) = &self.output {
            keys.extend([("stdout", Variant::Fd(stdout.into())), ("stderr", Variant::Fd(stderr.into()))]);
        }
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::json;

    fn keys(ask: &Ask) -> Vec<&str> {
        let mut keys: Vec<&str> = ask.dictionary().into_keys().collect();
        keys.sort_unstable();
        keys
    }

    #[test]
    fn what_was_not_said_is_not_sent() {
        assert_eq!(keys(&Ask::new(What::Argv(vec!["id".to_owned()]), "/".to_owned())), ["argv", "cwd"]);
        assert_eq!(keys(&Ask::new(What::Shell("id".to_owned()), "/".to_owned())), ["cwd", "shell"]);
    }

    #[test]
    fn a_bundle_is_sent_as_steps_without_a_directory_of_its_own() {
        let step = |word: &str| Ask::new(What::Argv(vec![word.to_owned()]), "/srv".to_owned());
        let ask =
            Ask { reason: Some("r".to_owned()), ..Ask::new(What::Steps(vec![step("a"), step("b")]), "/".to_owned()) };
        assert_eq!(keys(&ask), ["reason", "steps"]);
        let sent = ask.dictionary();
        assert_eq!(sent["steps"].value_signature().to_string(), "aa{sv}");
        let steps = serde_json::json!([{"argv": ["a"], "cwd": "/srv"}, {"argv": ["b"], "cwd": "/srv"}]);
        assert_eq!(json(&sent["steps"]), steps);
    }

    #[test]
    fn everything_that_was_said_is_sent_under_the_interfaces_names() {
        let fd = || OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
        let ask = Ask {
            env: HashMap::from([("LANG".to_owned(), "C".to_owned())]),
            stdin: Some(fd()),
            output: Some((fd(), fd())),
            timeout_ms: Some(5),
            reason: Some("r".to_owned()),
            agent: Some("a".to_owned()),
            targets: vec!["/etc/x".to_owned()],
            max_tier: Some("T1".to_owned()),
            profile: Some("observe".to_owned()),
            secrets: vec!["named".to_owned()],
            detach: true,
            all: true,
            ..Ask::new(What::Argv(vec!["id".to_owned(), "-u".to_owned()]), "/".to_owned())
        };
        let all = [
            "agent",
            "all",
            "argv",
            "cwd",
            "detach",
            "env",
            "max_tier",
            "profile",
            "reason",
            "secrets",
            "stderr",
            "stdin",
            "stdout",
            "targets",
            "timeout_ms",
        ];
        assert_eq!(keys(&ask), all);
        let sent = ask.dictionary();
        let signatures = [
            ("argv", "as"),
            ("env", "a{ss}"),
            ("targets", "as"),
            ("secrets", "as"),
            ("timeout_ms", "t"),
            ("detach", "b"),
            ("all", "b"),
            ("stdin", "h"),
            ("max_tier", "s"),
        ];
        for (key, signature) in signatures {
            assert_eq!(sent[key].value_signature().to_string(), signature, "{key}");
        }
        assert_eq!(json(&sent["argv"]), serde_json::json!(["id", "-u"]));
    }
}
