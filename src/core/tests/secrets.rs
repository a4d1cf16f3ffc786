//! Secrets in the ways that people write them: none is left, and what is no secret stays as it is. SEC-9.
//!
//! The catalogue is `data/secrets.toml` and `data/secrets-fresh.toml`. It tells what must be gone, not how it is found.

#[cfg(test)]
mod tests {
    use countersign_core::redact;
    use serde::Deserialize;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Catalogue {
        argv: Vec<Case<Vec<String>>>,
        shell: Vec<Case<String>>,
        text: Vec<Case<String>>,
        plain_argv: Vec<Vec<String>>,
        plain_text: Vec<String>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Case<T> {
        is: T,
        hides: Vec<String>,
    }

    fn catalogues() -> [Catalogue; 2] {
        [include_str!("data/secrets.toml"), include_str!("data/secrets-fresh.toml")]
            .map(|text| toml::from_str(text).unwrap())
    }

    fn in_a_shell(text: &str) -> Vec<String> {
        ["sh", "-c", text].map(str::to_owned).to_vec()
    }

    /// Whether nothing of it is left, not even its end, and hiding again changes nothing.
    fn is_hidden(shown: &str, again: &str, hides: &[String]) -> bool {
        shown == again && hides.iter().all(|secret| !shown.contains(secret.as_str()))
    }

    #[test]
    fn no_secret_is_left() {
        catalogues().iter().for_each(hides);
    }

    fn hides(catalogue: &Catalogue) {
        let shell = catalogue.shell.iter().map(|case| (in_a_shell(&case.is), &case.hides));
        let words = catalogue.argv.iter().map(|case| (case.is.clone(), &case.hides)).chain(shell);
        let mut left = Vec::new();
        for (words, hides) in words {
            let shown = redact::words(&words);
            if !is_hidden(&shown.join(" "), &redact::words(&shown).join(" "), hides) {
                left.push(format!("{words:?}\n   {shown:?}\n   {:?}", redact::words(&shown)));
            }
        }
        for Case { is, hides } in &catalogue.text {
            let shown = redact::text(is);
            if !is_hidden(&shown, &redact::text(&shown), hides) {
                left.push(format!("{is:?}\n   {shown:?}"));
            }
        }
        assert!(left.is_empty(), "{} left:\n{}", left.len(), left.join("\n"));
    }

    #[test]
    fn what_is_no_secret_stays() {
        catalogues().iter().for_each(keeps);
    }

    fn keeps(catalogue: &Catalogue) {
        let words = catalogue.plain_argv.iter().map(|words| (words.join(" "), redact::words(words).join(" ")));
        let texts = catalogue.plain_text.iter().map(|text| (text.clone(), redact::text(text)));
        let gone: Vec<_> = words.chain(texts).filter(|(is, shown)| is != shown).collect();
        assert!(gone.is_empty(), "{} changed: {gone:#?}", gone.len());
    }
}
