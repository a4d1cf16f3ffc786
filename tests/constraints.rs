//! Promise: the table of security constraints is true of the tree. Needs no machine.

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    use anyhow::{Context, Result, ensure};
    use serde::Deserialize;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Table {
        constraint: Vec<Constraint>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Constraint {
        id: String,
        says: String,
        modules: Vec<PathBuf>,
        tests: Vec<String>,
        open: Option<String>,
    }

    fn checkout() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
    }

    fn read(path: &Path) -> Result<String> {
        std::fs::read_to_string(checkout().join(path)).with_context(|| path.display().to_string())
    }

    fn table() -> Result<Vec<Constraint>> {
        Ok(toml::from_str::<Table>(&read(Path::new("docs/security-constraints.toml"))?)?.constraint)
    }

    /// The constraints that a text names. `SEC-1` in `SEC-13` is not one of them.
    fn named(text: &str) -> BTreeSet<String> {
        let numbers =
            text.split("SEC-").skip(1).map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
        numbers.filter(|number| !number.is_empty()).map(|number| format!("SEC-{number}")).collect()
    }

    fn opening(text: &str) -> String {
        text.lines().take_while(|line| line.starts_with("//!")).collect::<Vec<_>>().join("\n")
    }

    fn sources(dir: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
        for entry in std::fs::read_dir(dir)? {
            let path = entry?.path();
            if path.is_dir() {
                sources(&path, found)?;
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
        Ok(())
    }

    #[test]
    fn every_module_is_there_and_says_which_constraint_it_keeps() -> Result<()> {
        for Constraint { id, modules, .. } in table()? {
            for module in modules {
                let says = named(&opening(&read(&module)?));
                ensure!(says.contains(&id), "{} does not name {id} in its opening words: {says:?}", module.display());
            }
        }
        Ok(())
    }

    #[test]
    fn every_test_is_there_and_none_is_passed_over() -> Result<()> {
        for Constraint { id, tests, .. } in table()? {
            for test in tests {
                let (file, name) = test.split_once("::").with_context(|| test.clone())?;
                let text = read(Path::new(file))?;
                ensure!(text.contains(&format!("fn {name}(")), "{id}: there is no {test}");
                ensure!(!text.contains("#[ignore"), "{file} passes over tests");
            }
        }
        Ok(())
    }

    #[test]
    fn what_nothing_enforces_or_proves_says_so() -> Result<()> {
        for Constraint { id, says, modules, tests, open } in table()? {
            ensure!(!says.is_empty(), "{id}");
            ensure!(
                open.is_some() || !(modules.is_empty() || tests.is_empty()),
                "{id} names no module or no test and does not say why"
            );
        }
        Ok(())
    }

    #[test]
    fn no_constraint_dangles_in_the_source() -> Result<()> {
        let known: BTreeSet<String> = table()?.into_iter().map(|constraint| constraint.id).collect();
        ensure!(known.len() == 17, "SEC-1 to SEC-17: {known:?}");
        let mut files = Vec::new();
        sources(&checkout().join("src"), &mut files)?;
        ensure!(files.len() > 50, "the sources were found");
        for file in files {
            let unknown: Vec<String> = named(&std::fs::read_to_string(&file)?).difference(&known).cloned().collect();
            ensure!(unknown.is_empty(), "{} names {unknown:?}", file.display());
        }
        Ok(())
    }
}
