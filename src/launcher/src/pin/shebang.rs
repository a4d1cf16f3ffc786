//! A script's first line, read as the kernel reads it: `#!`, an interpreter, at most one argument.

use std::io::{self, Read as _};

use countersign_core::path::CleanPath;

use super::content::open;
use crate::walk::Found;

/// How much of a file the kernel looks at (`BINPRM_BUF_SIZE`).
const LOOKED_AT: u64 = 256;

/// What the first line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shebang {
    /// It is not a script.
    None,
    /// It names its interpreter.
    Interpreter {
        /// The program.
        path: CleanPath,
        /// The rest of the line.
        argument: Option<String>,
    },
    /// It begins as a script and names no interpreter that could be pinned.
    Malformed,
}

/// Reads the first line of a file that was found.
///
/// # Errors
/// It cannot be read.
pub(super) fn read(found: &Found) -> io::Result<Shebang> {
    let mut bytes = Vec::new();
    open(found)?.take(LOOKED_AT).read_to_end(&mut bytes)?;
    Ok(parse(&bytes))
}

fn parse(bytes: &[u8]) -> Shebang {
    let Some(rest) = bytes.strip_prefix(b"#!") else { return Shebang::None };
    let end = rest.iter().position(|byte| *byte == b'\n');
    // A line that is cut off might name another interpreter than it seems to.
    let whole = end.or_else(|| (bytes.len() < 256).then_some(rest.len()));
    let line = whole.and_then(|end| rest.get(..end)).and_then(|line| std::str::from_utf8(line).ok());
    let Some(line) = line else { return Shebang::Malformed };
    let line = line.trim_matches([' ', '\t']);
    let (path, argument) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    let argument = argument.trim_matches([' ', '\t']);
    match CleanPath::new(path) {
        Ok(path) => Shebang::Interpreter { path, argument: (!argument.is_empty()).then(|| argument.to_owned()) },
        Err(_) => Shebang::Malformed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interpreter(path: &str, argument: Option<&str>) -> Shebang {
        Shebang::Interpreter { path: CleanPath::new(path).unwrap(), argument: argument.map(str::to_owned) }
    }

    #[test]
    fn a_first_line_is_read_as_the_kernel_reads_it() {
        for (line, read) in [
            ("#!/bin/sh\necho", interpreter("/bin/sh", None)),
            ("#! /bin/sh -e \necho", interpreter("/bin/sh", Some("-e"))),
            ("#!/usr/bin/env  python3 -u\n", interpreter("/usr/bin/env", Some("python3 -u"))),
            ("#!/bin/sh", interpreter("/bin/sh", None)),
            ("#!\t/bin/sh\t\n", interpreter("/bin/sh", None)),
            ("\u{7f}ELF", Shebang::None),
            ("", Shebang::None),
            ("#", Shebang::None),
            (" #!/bin/sh\n", Shebang::None),
            ("#!\n", Shebang::Malformed),
            ("#!sh\n", Shebang::Malformed),
            ("#!\n/bin/sh\n", Shebang::Malformed),
        ] {
            assert_eq!(parse(line.as_bytes()), read, "{line:?}");
        }
        assert_eq!(parse(b"#!/bin/\xff\n"), Shebang::Malformed);
    }

    #[test]
    fn a_line_that_the_kernel_would_cut_is_refused_at_n_and_taken_below() {
        let line = |length: usize| format!("#!/{}", "a".repeat(length - 3));
        assert!(matches!(parse(line(255).as_bytes()), Shebang::Interpreter { .. }));
        assert_eq!(parse(line(256).as_bytes()), Shebang::Malformed);
        let ended = format!("{}\n", line(255));
        assert!(matches!(parse(ended.as_bytes()), Shebang::Interpreter { .. }));
    }
}
