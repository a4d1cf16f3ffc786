//! Promise: what looks like a secret, and what its owner names as one, is nowhere once the request is over: not in the log's
//! files, not in the journal, on no screen, in no answer to anybody else. SEC-9.

#[cfg(test)]
mod tests {
    use anyhow::Context;
    use harness::users::{ADMIN, ADMIN_PASSWORD, AGENT};
    use harness::{Answer, Machine};
    use promises::{PATIENCE, installed_with, the_waiting};

    /// A way to write a secret; `§` is where it stands.
    const WAYS: [&str; 34] = [
        "--password=§",
        "--token=§",
        "--client-secret=§",
        "DB_PASSWORD=§",
        "AWS_SECRET_ACCESS_KEY=§",
        "api_key: §",
        "Passwort: §",
        "mot_de_passe=§",
        "Authorization: Bearer §",
        "Authorization: Basic §",
        "X-Auth-Token: §",
        "Cookie: session=§",
        "https://bob:§@host.example/x",
        "https://§@host.example/x",
        "postgres://bob:§@host/db",
        "https://host.example/?access_token=§",
        "https://host.example/?a=1&sig=§",
        "{\"password\":\"§\"}",
        "{\"auth\":\"§\"}",
        "{'secret': '§'}",
        "PrivateKey = §",
        "PresharedKey = §",
        "-----BEGIN PRIVATE KEY-----\n§\n-----END PRIVATE KEY-----",
        "-----BEGIN OPENSSH PRIVATE KEY-----\\n§\\n-----END OPENSSH PRIVATE KEY-----",
        "AccountName=a;AccountKey=§",
        "password%3D§",
        "<password>§</password>",
        "ghp_0123456789abcdef§",
        "glpat-0123456789ab§",
        "xoxb-01234567-§",
        "sk-0123456789abcdefghij§",
        "npm_0123456789abcdefghij0123456789§",
        "hf_0123456789abcdefghij0123§",
        "AGE-SECRET-KEY-10123456789ABCDEFGHIJ§",
    ];
    /// The same, for a shell that ends before any of it.
    const SCRIPTS: [&str; 13] = [
        "exit 0",
        "mysql -u root -p§ db",
        "PGPASSWORD='§' psql",
        "echo § | passwd --stdin bob",
        "echo 'bob:§' | chpasswd",
        "chpasswd <<EOF\nbob:§\nEOF",
        "curl -u bob:§ https://host.example",
        "sshpass -p '§' ssh host",
        "openssl rsa -passin pass:§ -in k",
        "htpasswd -b f bob §",
        "docker login -u a -p § r",
        "smbclient //h/s -U bob%§ -c ls",
        "redis-cli -a § ping; true",
    ];

    /// Every secret that was used, each with a number of its own.
    #[derive(Default)]
    struct Secrets(Vec<String>);

    impl Secrets {
        fn put(&mut self, way: &str) -> String {
            let secret = format!("Zq{:03}heldOut7Wx", self.0.len());
            let text = way.replace('§', &secret);
            self.0.push(secret);
            text
        }

        fn lines(&mut self, ways: &[&str]) -> String {
            ways.iter().map(|way| self.put(way)).collect::<Vec<_>>().join("\n")
        }
    }

    /// The options of a request with a secret in each of its texts: reason, agent, environment.
    fn claims(secrets: &mut Secrets) -> Vec<String> {
        let mut words = vec![format!("--reason={NAMED} {}", secrets.lines(&WAYS[..12]))];
        words.extend(["--secret-env".to_owned(), "NAMED".to_owned()]);
        words.extend(["--agent".to_owned(), secrets.put("token=§")]);
        for value in ["LANG=token=§", "LC_ALL=ghp_0123456789abcdef§"] {
            words.extend(["--env".to_owned(), secrets.put(value)]);
        }
        words
    }

    /// What nothing announces, so that only its owner can say what it is.
    const NAMED: &str = "plain words Zq998heldOut7Wx of mine";

    fn command(verb: &[&str], claims: Vec<String>, words: &[String]) -> Vec<String> {
        let named = ["env".to_owned(), format!("NAMED={NAMED}"), "countersign".to_owned()];
        let verb = named.into_iter().chain(verb.iter().map(|word| (*word).to_owned()));
        verb.chain(claims).chain(["--".to_owned()]).chain(words.iter().cloned()).collect()
    }

    /// A program with every way of writing a secret in its arguments, or a shell with every script.
    fn words(secrets: &mut Secrets, shell: bool) -> Vec<String> {
        if shell {
            vec!["sh".to_owned(), "-c".to_owned(), secrets.lines(&SCRIPTS)]
        } else {
            let names = WAYS.iter().map(|way| secrets.put(way));
            ["frobnicate".to_owned(), NAMED.to_owned()].into_iter().chain(names).collect()
        }
    }

    fn said(machine: &Machine, words: &[&str]) -> anyhow::Result<String> {
        machine.run(words.iter().copied()).map(|output| output.stdout + &output.stderr)
    }

    /// Has a request decided by the administrator; returns what others than its owner saw of it.
    fn decided(machine: &Machine, verb: &str, words: Vec<String>) -> anyhow::Result<String> {
        let mut client = machine.command(AGENT, words)?.spawn()?;
        let waiting = the_waiting(machine);
        let Ok(id) = waiting else { anyhow::bail!("nothing waits: {:?}", client.wait(PATIENCE)?) };
        let mut seen = said(machine, &["countersign", "requests"])?;
        for view in [&["countersign", "show", &id][..], &["countersign", "show", "--json", &id]] {
            seen += &said(machine, view)?;
        }
        let mut attended = machine.command(ADMIN, ["countersign", verb, &id])?.attended()?;
        attended.dialog().context("dialog")?;
        attended.answer(Answer::Password(ADMIN_PASSWORD))?;
        let (output, screen) = attended.wait().context("attended")?;
        client.wait(PATIENCE).context("client")?;
        Ok(seen + &screen + &output.stdout + &output.stderr)
    }

    #[test]
    fn no_secret_of_a_request_is_kept_or_shown_to_others() -> anyhow::Result<()> {
        let machine = installed_with("countersign.toml", "mode = 'open'\n").boot()?;
        machine.run(["install", "-m", "755", "/bin/true", "/usr/bin/frobnicate"])?.ok()?;
        machine.write("/tmp/input", "password=Zq999heldOut7Wx\n")?;
        let mut secrets = Secrets::default();
        let mut seen = String::new();
        for shell in [false, true] {
            let plan = command(&["plan"], claims(&mut secrets), &words(&mut secrets, shell));
            machine.run_as(AGENT, plan)?;
            let run = ["run", "--queue", "--stdin", "/tmp/input"];
            for verb in ["refuse", "approve"] {
                let run = command(&run, claims(&mut secrets), &words(&mut secrets, shell));
                seen += &decided(&machine, verb, run)?;
            }
        }
        let denied = command(&["run"], claims(&mut secrets), &["rm", "-rf", "/"].map(str::to_owned));
        machine.run_as(AGENT, denied)?;
        for wrong in [
            vec!["--cwd".to_owned(), secrets.put("/no/token=§")],
            vec!["--env".to_owned(), secrets.put("TZ=password=§ x")],
        ] {
            let wrong = wrong.into_iter().chain(claims(&mut secrets)).collect();
            assert_ne!(machine.run_as(AGENT, command(&["run"], wrong, &["true".to_owned()]))?.code, 0);
        }
        let missing = command(&["run", "--queue"], claims(&mut secrets), &[secrets.put("/no/password=§")]);
        assert_ne!(machine.run_as(AGENT, missing)?.code, 0);
        let said_so = secrets.put("echo: password=§");
        let echoed = command(&["run", "--json"], claims(&mut secrets), &["echo".to_owned(), said_so, NAMED.to_owned()]);
        let output = machine.run_as(AGENT, echoed)?.ok()?.stdout;
        let result: serde_json::Value = serde_json::from_str(&output)?;
        assert!(result["stdout"].to_string().contains("echo: password=[REDACTED]"), "{output}");
        seen += &result["stdout"].to_string();
        secrets.0.push("Zq999heldOut7Wx".to_owned());
        secrets.0.push("Zq998heldOut7Wx".to_owned());
        assert!(secrets.0.len() > 200, "{}", secrets.0.len());
        let listed = said(&machine, &["countersign", "audit", "list", "--json"])?;
        assert!(listed.matches("[REDACTED]").count() > 100, "they were asked for: {listed}");
        seen += &listed;
        seen += &said(&machine, &["countersign", "audit", "export"])?;
        machine.run(["journalctl", "--sync"])?.ok()?;
        seen += &said(&machine, &["journalctl", "--no-pager", "--output=export"])?;
        let left: Vec<_> = secrets.0.iter().filter(|secret| seen.contains(secret.as_str())).collect();
        assert!(left.is_empty(), "shown: {left:?}");
        machine.write("/tmp/secrets", secrets.0.join("\n"))?;
        let stores = [
            "/var/lib/countersign",
            "/var/lib/countersign-launcher",
            "/run/countersign",
            "/run/log/journal",
            "/var/log",
        ];
        for store in stores {
            let grep = ["grep", "-raoFf", "/tmp/secrets", store];
            let found = machine.run(grep)?.stdout;
            assert!(found.is_empty(), "{store}: {found}");
        }
        let there = machine.run(["grep", "-rac", "REDACTED", "/var/lib/countersign"])?.stdout;
        assert!(!there.is_empty(), "the files can be searched");
        Ok(())
    }
}
