//! What must be hidden, what must not, and the laws of hiding.

use proptest::prelude::*;

use super::*;

fn command(words_in: &[&str]) -> String {
    let owned: Vec<String> = words_in.iter().map(|word| (*word).to_owned()).collect();
    words(&owned).join(" ")
}

#[test]
fn a_text_loses_its_secrets_and_nothing_else() {
    for (input, output) in [
        ("password=hunter2", "password=[REDACTED]"),
        ("password = hunter2 next", "password = [REDACTED] next"),
        ("password: correct horse battery", "password: [REDACTED]"),
        ("password: a\nnext line", "password: [REDACTED]\nnext line"),
        ("DB_PASSWORD_PROD=x y", "DB_PASSWORD_PROD=[REDACTED] y"),
        ("PGPASSWORD=x", "PGPASSWORD=[REDACTED]"),
        ("accessToken2: abc", "accessToken2: [REDACTED]"),
        ("api key: abc def", "api key: [REDACTED]"),
        ("x-api-key: abc", "x-api-key: [REDACTED]"),
        ("--token abc --verbose", "--token [REDACTED] --verbose"),
        ("--client-secret='a b' c", "--client-secret='[REDACTED]' c"),
        ("secret=\"a \\\" b\" c", "secret=\"[REDACTED]\" c"),
        ("secret=\"a\"tail c", "secret=\"[REDACTED]\" c"),
        ("secret=\"never closed", "secret=\"[REDACTED]"),
        ("'password=a b' c", "'password=[REDACTED]' c"),
        ("{\"password\": \"a b\", \"x\": 1}", "{\"password\": \"[REDACTED]\", \"x\": 1}"),
        ("{\"otp\": 123456, \"x\": 1}", "{\"otp\": [REDACTED], \"x\": 1}"),
        (r#"{\"password\":\"a b\",\"x\":1}"#, r#"{\"password\":\"[REDACTED]\",\"x\":1}"#),
        ("Authorization: Basic dTpw; x\nHost: y", "Authorization: [REDACTED]\nHost: y"),
        ("\"Authorization: Bearer abc\" https://x", "\"Authorization: [REDACTED]\" https://x"),
        ("proxy-authorization=Basic a b", "proxy-authorization=[REDACTED]"),
        ("bearer abcdefgh1234", "bearer [REDACTED]"),
        ("https://u:p@host/a", "https://u:[REDACTED]@host/a"),
        ("postgres://u:p@ss@host/db", "postgres://u:[REDACTED]@host/db"),
        ("postgres://u:p/ss@host/db", "postgres://u:[REDACTED]@host/db"),
        ("redis://:p@host", "redis://:[REDACTED]@host"),
        ("https://abc@host/a", "https://[REDACTED]@host/a"),
        ("/srv/https:/u:p@host/a", "/srv/https:/u:[REDACTED]@host/a"),
        ("a AKIAIOSFODNN7EXAMPLE b", "a [REDACTED] b"),
        ("x-ghp_0123456789abcdefghij01", "x-[REDACTED]"),
        ("glpat-0123456789abcdefghij.", "[REDACTED]"),
        ("xoxb-1234-5678-abcd", "[REDACTED]"),
        ("s eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_d e", "s [REDACTED] e"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY----- x", "[REDACTED] x"),
        ("a-----BEGIN PRIVATE KEY-----\nMII cut", "a[REDACTED]"),
        ("-pass pass:hunter2 x", "-pass [REDACTED] x"),
        ("-passin pass:hunter2 x", "-passin pass:[REDACTED] x"),
        ("mysql -u root -psecret db", "mysql -u root -p[REDACTED] db"),
    ] {
        assert_eq!(text(input), output, "{input}");
        assert_eq!(text(output), output, "again: {input}");
    }
}

#[test]
fn ordinary_text_is_left_alone() {
    for input in [
        "",
        "systemctl restart nginx",
        "passwd root",
        "the password of the user was reset",
        "--password-file /etc/x",
        "--password-stdin",
        "token_ttl=3600",
        "max_tokens=100",
        "secret-path: /a/b",
        "PWD=/home/agent",
        "key=value",
        "sshkey: /root/.ssh/id",
        "cat /run/secrets/token",
        "docker run -v /etc/secret:/x",
        "https://host:8080/a@b",
        "https://host/a:b",
        "https://evil/a@good",
        "https://evil/a:b@good",
        "https://evil:/a@good",
        "https://evil?a:b@good",
        "ssh://git@host/x",
        "user@host",
        "host:/a/b:c@d",
        "AKIA",
        "ghp_short",
        "eyJust a word",
        "risk-free and task-0123456789012345678901",
        "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----",
        "ssh -p 22 host",
        "docker run -p 80:80 x",
        "mysql -p db",
        "bearer of news",
        "compass=north bypass: yes-is-fine",
        "ünïcödé ✓",
    ] {
        assert_eq!(text(input), input);
    }
}

#[test]
fn words_of_a_command_tell_about_the_next_one() {
    for (input, output) in [
        (&["x", "--password", "a b", "c"][..], "x --password [REDACTED] c"),
        (&["x", "--password=a b;c"], "x --password=[REDACTED]"),
        (&["x", "-password", "--a"], "x -password [REDACTED]"),
        (&["env", "SECRET=a b", "true"], "env SECRET=[REDACTED] true"),
        (&["mysqldump", "-uroot", "-ps p", "db"], "mysqldump -uroot -p[REDACTED] db"),
        (&["/usr/bin/mysql", "-p", "db"], "/usr/bin/mysql -p db"),
        (&["sudo", "sshpass", "-p", "x", "ssh", "h"], "sudo sshpass -p [REDACTED] ssh h"),
        (&["curl", "-u", "a:b", "https://h"], "curl -u [REDACTED] https://h"),
        (&["curl", "-H", "Authorization: Bearer a b", "u"], "curl -H Authorization: [REDACTED] u"),
        (&["ls", "-p", "x"], "ls -p x"),
        (&["x", "--password"], "x --password"),
        (&["systemctl", "restart", "auth-token", "sshd"], "systemctl restart auth-token sshd"),
    ] {
        assert_eq!(command(input), output);
    }
}

#[test]
fn nothing_that_a_shell_would_run_hides_behind_a_secret() {
    for (script, shown) in [
        ("token=x; rm -rf /", "token=[REDACTED]; rm -rf /"),
        ("token=x;rm -rf /", "token=[REDACTED];rm -rf /"),
        ("token=x&&rm -rf /", "token=[REDACTED]&&rm -rf /"),
        ("token=$(rm -rf /)", "token=$(rm -rf /)"),
        ("token=ab`rm -rf /`", "token=[REDACTED]`rm -rf /`"),
        ("token=\"$(rm -rf /)\"", "token=\"$(rm -rf /)\""),
        ("token=\"a b\"c'd e' f", "token=[REDACTED] f"),
        ("token='$(literal) x' y", "token=[REDACTED] y"),
        ("TOKEN= rm -rf /", "TOKEN= rm -rf /"),
        ("token =rm", "token =rm"),
        ("echo token: ; rm -rf /", "echo token: ; rm -rf /"),
        ("echo token: a > /etc/x", "echo token: [REDACTED]> /etc/x"),
        ("curl -H \"Authorization: Bearer a;b\" u && rm x", "curl -H \"Authorization: [REDACTED]\" u && rm x"),
        ("echo \"password=a b\" | rm", "echo \"password=[REDACTED] b\" | rm"),
        ("echo \"password='a b' c\"", "echo \"password=[REDACTED] c\""),
        ("echo 'x\\' token=a", "echo 'x\\' token=[REDACTED]"),
        ("curl -d {\"secret\":\"a;b\"} u", "curl -d {\"secret\":[REDACTED] u"),
        ("curl -d '{\"secret\":\"a;b c\"}' u", "curl -d '{\"secret\":[REDACTED]}' u"),
        ("mysql -pa;rm x", "mysql -p[REDACTED];rm x"),
        ("x --token a\nrm", "x --token [REDACTED]\nrm"),
    ] {
        assert_eq!(command(&["bash", "-ec", script]), format!("bash -ec {shown}"));
        let shown: Vec<String> = ["sh", "-c", "--", script].map(str::to_owned).to_vec();
        assert_eq!(words(&words(&shown)), words(&shown));
    }
    assert_eq!(command(&["sh", "-c", "--", "token=x;rm"]), "sh -c -- token=[REDACTED];rm");
    assert_eq!(command(&["bash", "-c", "-o", "pipefail", "token=x;rm"]), "bash -c -o pipefail token=[REDACTED];rm");
    assert_eq!(command(&["ssh", "h", "token=x;rm"]), "ssh h token=[REDACTED];rm");
    assert_eq!(command(&["python3", "-c", "token=f('x')"]), "python3 -c token=[REDACTED]('x')");
}

#[test]
fn a_password_of_which_a_part_is_hidden_already_is_hidden_whole() {
    let key = ["-u", "curl", "-p", "@-----BEGIN PRIVATE KEY-----://"].map(str::to_owned);
    assert_eq!(words(&key), ["-u", "curl", "-p", MARKER]);
    assert_eq!(words(&["ssh", "-u", "bob", "-p", "/srv/app"].map(str::to_owned))[4], "/srv/app", "a path stays");
}

#[test]
fn a_key_that_clings_to_a_password_is_hidden_beside_it() {
    let key = "-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----";
    assert_eq!(text(&format!("the password is abc123{key} and")), format!("the password is {MARKER}{MARKER} and"));
    assert_eq!(text(&format!("the password is key{key}x1")), format!("the password is key{MARKER}x1"));
}

/// Pieces that together come close to everything the scanner looks for.
fn text_of_pieces() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        Just("password".to_owned()),
        Just("api key".to_owned()),
        Just("token".to_owned()),
        Just("authorization".to_owned()),
        Just("bearer".to_owned()),
        Just("--secret".to_owned()),
        Just("mysql".to_owned()),
        Just("-p".to_owned()),
        Just("://".to_owned()),
        Just("@".to_owned()),
        Just("=".to_owned()),
        Just(": ".to_owned()),
        Just(":".to_owned()),
        Just("\"".to_owned()),
        Just("'".to_owned()),
        Just("\\".to_owned()),
        Just("\\\"".to_owned()),
        Just(" ".to_owned()),
        Just("\n".to_owned()),
        Just(";".to_owned()),
        Just("$(".to_owned()),
        Just("`".to_owned()),
        Just(",".to_owned()),
        Just("}".to_owned()),
        Just("/".to_owned()),
        Just("-----BEGIN PRIVATE KEY-----".to_owned()),
        Just("-----END PRIVATE KEY-----".to_owned()),
        Just("ghp_0123456789abcdefghij".to_owned()),
        Just("eyJa.b.c".to_owned()),
        Just(MARKER.to_owned()),
        Just("é".to_owned()),
        Just("https".to_owned()),
        "[a-z0-9]{1,4}",
        "\\PC{0,3}",
    ];
    proptest::collection::vec(pieces, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn redacting_twice_is_redacting_once(input in text_of_pieces()) {
        let once = text(&input);
        prop_assert_eq!(text(&once), once);
    }

    #[test]
    fn the_same_holds_for_commands(input in proptest::collection::vec(prop_oneof![
        text_of_pieces(), Just("sh".to_owned()), Just("-c".to_owned()), Just("mysql".to_owned()), Just("-p".to_owned()),
        Just("--token".to_owned()), Just("curl".to_owned()), Just("-u".to_owned()), Just("token=x".to_owned()),
    ], 0..8)) {
        let once = words(&input);
        prop_assert_eq!(once.len(), input.len());
        prop_assert_eq!(words(&once), once);
    }

    #[test]
    fn no_part_of_a_secret_is_left(
        secret in "[A-Za-z0-9!#%*+./:?@^_~=-]{6,40}",
        form in prop_oneof![
            Just("password=§"), Just("x --token § y"), Just("x --token=§ y"), Just("{\"secret\":\"§\"}"), Just("api_key: §"),
            Just("'passphrase=§'"), Just("a\nAuthorization: Basic §\nb"), Just("PASSWORD=\"§\" x"), Just("the access key = § y"),
        ],
    ) {
        let shown = text(&form.replace('§', &secret));
        let tail: String = secret.chars().skip(secret.len().saturating_sub(4)).collect();
        prop_assert!(!shown.contains(&secret) && !shown.contains(&tail), "{}", shown);
        let shown = words(&["sh".to_owned(), "-c".to_owned(), form.replace('§', &secret)]).join(" ");
        prop_assert!(form.contains(" = ") || !shown.contains(&tail), "{}", shown);
    }

    #[test]
    fn any_text_at_all_is_taken(input in any::<String>(), shell in any::<bool>()) {
        let reading = if shell { Reading::Shell } else { Reading::Prose };
        prop_assert!(Scan::new(&input, reading).run().len() <= input.len().saturating_mul(MARKER.len()));
    }
}

/// A form feed ended a word and was never passed: a fuzzer found it.
#[test]
fn whatever_stands_between_the_words_of_a_shell_is_passed() {
    for byte in 0..=u8::MAX {
        let text = format!("a{0}b {0}{0} mysql{0}-px{0}'.", char::from(byte));
        assert!(shell(&text).len() <= text.len().saturating_mul(MARKER.len()), "{byte}");
    }
    assert_eq!(shell("a\u{c}mysql -px"), "a\u{c}mysql -p[REDACTED]");
}

#[test]
fn time_grows_with_the_length_and_not_faster() {
    const LONG: usize = 100_000;
    for piece in [
        "password",
        "eyJ-",
        "eyJ=",
        "a://",
        "://a@",
        "-----BEGIN PRIVATE KEY",
        "\"",
        "token=\"",
        "-",
        "mysql -p",
        "sk-",
        "a.",
        "'x",
        "`",
        "<<a\n",
        "<<<a ",
        "echo a|",
        "a -p ",
    ] {
        for reading in [Reading::Prose, Reading::Shell] {
            let long = piece.repeat(LONG / piece.len());
            let begin = std::time::Instant::now();
            Scan::new(&long, reading).run();
            assert!(begin.elapsed().as_secs() < 3, "{piece} {reading:?} {:?}", begin.elapsed());
        }
        let begin = std::time::Instant::now();
        shell(&piece.repeat(LONG / piece.len()));
        assert!(begin.elapsed().as_secs() < 3, "{piece} {:?}", begin.elapsed());
    }
}
