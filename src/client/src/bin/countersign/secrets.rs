//! Secrets: the values that `run` and `plan` have the broker hide. They come from the environment or from a file, never
//! from the words of this program, which everybody on the machine can read.
//!
//! Enters: names of variables, and a file of one value a line. Leaves: the values, as they are. How many and how long they
//! may be is the broker's to say.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use crate::complaint::Complaint;

/// The most bytes of a file of values: more than the broker takes.
const MAX_FILE: u64 = 1_024 * 1_024;

/// The values of these variables, and the lines of that file. Lines without anything are none.
pub(crate) fn gathered(names: &[String], file: Option<&Path>) -> Result<Vec<String>, Complaint> {
    let mut values = names.iter().map(|name| of_environment(name)).collect::<Result<Vec<_>, _>>()?;
    values.extend(file.map(lines).transpose()?.unwrap_or_default());
    Ok(values)
}

fn of_environment(name: &str) -> Result<String, Complaint> {
    std::env::var(name).map_err(|_| {
        Complaint::usage(format!("The variable {name} of --secret-env is not set, or is not UTF-8: set and export it."))
    })
}

fn lines(path: &Path) -> Result<Vec<String>, Complaint> {
    let system = |source| Complaint::System { what: "The file of secrets cannot be read", source };
    let file = File::open(path).map_err(system)?.take(MAX_FILE);
    let lines = BufReader::new(file).lines().collect::<Result<Vec<_>, _>>().map_err(system)?;
    Ok(lines.into_iter().filter(|line| !line.is_empty()).collect())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn each_line_of_a_file_is_a_value() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"one value\n\ntwo\n").unwrap();
        assert_eq!(gathered(&[], Some(file.path())).unwrap(), ["one value", "two"]);
        assert!(matches!(gathered(&[], Some(Path::new("/no/such/file"))), Err(Complaint::System { .. })));
        file.write_all(b"\xff\n").unwrap();
        assert!(matches!(gathered(&[], Some(file.path())), Err(Complaint::System { .. })));
    }

    #[test]
    fn a_variable_that_is_not_there_is_told() {
        let home = gathered(&["PATH".to_owned()], None).unwrap();
        assert_eq!(home, [std::env::var("PATH").unwrap()]);
        assert!(matches!(gathered(&["NO_SUCH_VARIABLE".to_owned()], None), Err(Complaint::Usage { .. })));
    }
}
