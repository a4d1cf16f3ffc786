//! Promise: the walls between the rooms stand where `docs/architecture.md` draws them. Needs no machine.

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use anyhow::{Context, Result, ensure};

    /// Every crate that the launcher links, itself and what only runs at build time included. Growth is a decision.
    const LAUNCHER_LINKS: usize = 54;

    fn checkout() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
    }

    #[expect(clippy::disallowed_methods, reason = "cargo knows what is linked, and this is a test")]
    fn linked(package: &str) -> Result<BTreeSet<String>> {
        let words = ["tree", "--locked", "--offline", "--edges", "normal", "--prefix", "none", "--package", package];
        let output = Command::new(env!("CARGO")).args(words).current_dir(checkout()).output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout)?;
        let named = text.lines().filter_map(|line| line.split(" (").next()).filter(|line| !line.is_empty());
        Ok(named.map(str::to_owned).collect())
    }

    fn links(package: &str, library: &str) -> Result<bool> {
        Ok(linked(package)?.iter().any(|line| line.split(' ').next() == Some(library)))
    }

    fn sources(dir: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
        for entry in std::fs::read_dir(dir).with_context(|| dir.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() {
                sources(&path, found)?;
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
        Ok(())
    }

    /// The files below `src/` in which a line that is neither a comment nor a test says any of `words`.
    fn who_says(words: &[&str]) -> Result<BTreeSet<String>> {
        let root = checkout();
        let mut files = Vec::new();
        sources(&root.join("src"), &mut files)?;
        let mut found = BTreeSet::new();
        for file in files {
            let name = file.strip_prefix(&root)?.display().to_string();
            let text = std::fs::read_to_string(&file)?;
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let says = code
                .lines()
                .map(str::trim)
                .filter(|line| !line.starts_with("//"))
                .any(|line| words.iter().any(|word| says_word(line, word)));
            if says && !name.contains("/tests") && !name.contains("/benches/") {
                found.insert(name);
            }
        }
        Ok(found)
    }

    /// Whether a line says the word from its beginning: `unix::` does not say `nix::`, nor does `crate::caps::` say `caps::`.
    fn says_word(line: &str, word: &str) -> bool {
        let begins = |at: usize| {
            let before = line.get(..at).and_then(|before| before.chars().next_back());
            before.is_none_or(|before| !before.is_alphanumeric() && before != '_' && before != ':')
        };
        line.match_indices(word).any(|(at, _)| begins(at))
    }

    fn only_below(words: &[&str], places: &[&str]) -> Result<()> {
        let elsewhere: Vec<String> =
            who_says(words)?.into_iter().filter(|file| !places.iter().any(|place| file.starts_with(place))).collect();
        ensure!(elsewhere.is_empty(), "{words:?} outside {places:?}: {elsewhere:?}");
        Ok(())
    }

    #[test]
    fn the_launcher_links_what_it_is_known_to_link() -> Result<()> {
        let crates = linked("countersign-launcher")?;
        ensure!(crates.len() == LAUNCHER_LINKS, "{} crates: {crates:?}", crates.len());
        Ok(())
    }

    /// The lines of a target of the Makefile.
    fn recipe(makefile: &str, target: &str) -> Vec<String> {
        let begins = |line: &&str| line.starts_with(&format!("{target}:"));
        let after = makefile.lines().skip_while(|line| !begins(line)).skip(1);
        after.take_while(|line| line.starts_with('\t')).map(str::to_owned).collect()
    }

    #[test]
    fn layers_can_be_said_to_be_missing_in_no_build_that_is_installed() -> Result<()> {
        let root = checkout();
        let read = |path: &str| std::fs::read_to_string(root.join(path)).context(path.to_owned());
        let manifest: toml::Table = read("src/launcher/Cargo.toml")?.parse()?;
        let features = manifest["features"].as_table().context("features")?;
        ensure!(features.keys().collect::<Vec<_>>() == ["missing-layers"], "{features:?}: none by default");
        let makefile = read("Makefile")?;
        let enables = |line: &String| line.contains("features") || line.contains("lacking");
        for target in ["build", "install", "package", "rpm"] {
            let lines = recipe(&makefile, target);
            ensure!(!lines.is_empty() && !lines.iter().any(enables), "{target}: {lines:?}");
        }
        ensure!(recipe(&makefile, "lacking").iter().any(enables), "the test looks at the right thing");
        for path in ["packaging/rpm/countersign.spec", "packaging/deb/postinst", "Cargo.toml", "src/front/Cargo.toml"] {
            ensure!(!read(path)?.contains("missing-layers"), "{path}");
        }
        Ok(())
    }

    #[test]
    fn who_links_whom() -> Result<()> {
        for (package, library) in [
            ("countersignd", "zbus"),
            ("countersignd", "rusqlite"),
            ("countersign", "zbus"),
            ("countersign-launcher", "seccompiler"),
        ] {
            ensure!(links(package, library)?, "{package} links {library}");
        }
        for (package, library) in [
            ("countersign-core", "tokio"),
            ("countersign-core", "zbus"),
            ("countersign-core", "nix"),
            ("countersign-core", "rustix"),
            ("countersign-launcher", "zbus"),
            ("countersign-launcher", "tokio"),
            ("countersign-launcher", "rusqlite"),
            ("countersignd", "countersign-launcher"),
            ("countersign", "countersign-launcher"),
            ("countersign", "countersign-confine"),
        ] {
            ensure!(!links(package, library)?, "{package} must not link {library}");
        }
        Ok(())
    }

    #[test]
    fn each_library_stays_in_its_rooms() -> Result<()> {
        only_below(&["rusqlite"], &["src/audit/"])?;
        only_below(
            &["zbus"],
            &[
                "src/client/",
                "src/front/src/bus/",
                "src/front/src/approve/polkit.rs",
                "src/front/src/lifecycle.rs",
                "src/front/src/start.rs",
                "src/anchor/",
            ],
        )?;
        only_below(&["nix::", "caps::", "landlock::", "seccompiler::"], &["src/confine/", "src/launcher/"])?;
        only_below(&["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern"], &["src/launcher/src/sys.rs"])?;
        only_below(
            &["Command::new"],
            &["src/front/src/start.rs", "src/client/src/bin/countersign/", "src/anchor/src/authority.rs"],
        )?;
        only_below(&["ureq"], &["src/anchor/"])
    }

    #[test]
    fn the_core_reads_no_file_no_clock_and_starts_nothing() -> Result<()> {
        let told = who_says(&[
            "std::fs",
            "std::net",
            "std::process",
            "std::env",
            "SystemTime",
            "Instant::now",
            "std::thread",
        ])?;
        let core: Vec<String> = told.into_iter().filter(|file| file.starts_with("src/core/")).collect();
        ensure!(core.is_empty(), "{core:?}");
        Ok(())
    }

    #[test]
    fn every_source_file_says_what_it_is_and_has_one_job() -> Result<()> {
        let mut files = Vec::new();
        for dir in ["src", "tests"] {
            sources(&checkout().join(dir), &mut files)?;
        }
        for file in files {
            let text = std::fs::read_to_string(&file)?;
            ensure!(text.starts_with("//!"), "{} does not open with //!", file.display());
            ensure!(text.lines().count() <= 500, "{} is longer than 500 lines", file.display());
        }
        Ok(())
    }
}
