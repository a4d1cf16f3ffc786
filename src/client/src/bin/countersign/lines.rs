//! Lines of input, each bounded, none of them able to end the rest.
//!
//! Enters: bytes of whoever writes them. Leaves: one line after another, or that it was too long, in which case the
//! rest of it is passed over.

use std::io::{self, BufRead};

/// The most bytes of one line: the largest command, with every byte written as a JSON escape of six, and its keys.
pub(crate) const MAX_LINE: usize = 512 * 1_024;

/// What stood on a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    /// A line, in the buffer, without its end.
    Whole,
    /// More than [`MAX_LINE`] bytes.
    TooLong,
    /// There is none any more.
    End,
}

/// Reads the next line into the buffer.
pub(crate) fn next(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Line> {
    line.clear();
    let mut too_long = false;
    let mut any = false;
    loop {
        let available = match input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        if available.is_empty() {
            return Ok(if any { outcome(too_long) } else { Line::End });
        }
        any = true;
        let end = available.iter().position(|byte| *byte == b'\n');
        let part = available.get(..end.unwrap_or(available.len())).unwrap_or(available);
        too_long |= line.len().saturating_add(part.len()) > MAX_LINE;
        if !too_long {
            line.extend_from_slice(part);
        }
        let used = part.len().saturating_add(usize::from(end.is_some()));
        input.consume(used);
        if end.is_some() {
            return Ok(outcome(too_long));
        }
    }
}

const fn outcome(too_long: bool) -> Line {
    if too_long { Line::TooLong } else { Line::Whole }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &[u8], chunk: usize) -> Vec<(Line, usize)> {
        let mut input = io::BufReader::with_capacity(chunk, text);
        let mut line = Vec::new();
        let mut seen = Vec::new();
        loop {
            match next(&mut input, &mut line).unwrap() {
                Line::End => return seen,
                kind @ (Line::Whole | Line::TooLong) => seen.push((kind, line.len())),
            }
        }
    }

    #[test]
    fn lines_are_lines_whatever_the_chunks() {
        for chunk in [1, 2, 3, 100] {
            assert_eq!(all(b"ab\n\nc", chunk), [(Line::Whole, 2), (Line::Whole, 0), (Line::Whole, 1)], "{chunk}");
        }
        assert_eq!(all(b"", 8), []);
    }

    #[test]
    fn a_line_is_bounded_at_n_and_n_plus_one_and_the_next_is_read() {
        for (length, expected) in [(MAX_LINE, Line::Whole), (MAX_LINE + 1, Line::TooLong)] {
            let mut text = vec![b'x'; length];
            text.extend_from_slice(b"\nab");
            let seen = all(&text, 4_096);
            assert_eq!((seen[0].0, seen[1]), (expected, (Line::Whole, 2)));
        }
    }
}
