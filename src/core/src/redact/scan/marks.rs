//! Marks: the quotation marks in which a name stands, which say where its value ends.

/// The quotation marks around a name.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Marks {
    /// The mark before the name (and its dashes), if the name is not closed by it: it closes the value.
    pub(super) enclosing: Option<u8>,
    /// The bytes of the mark that closes the name, as in JSON: 2 if it is escaped, 0 if there is none.
    pub(super) closing: usize,
}

impl Marks {
    pub(super) fn around(bytes: &[u8], begin: usize, end: usize) -> Self {
        let before = bytes.get(..begin).unwrap_or_default();
        let opening = before.iter().rev().find(|byte| **byte != b'-').copied().filter(|b| matches!(b, b'"' | b'\''));
        let behind = bytes.get(end..).unwrap_or_default();
        let closing = match (opening, behind) {
            (Some(quote), [first, ..]) if *first == quote => 1,
            (Some(b'"'), [b'\\', b'"', ..]) => 2,
            _ => 0,
        };
        Self { enclosing: opening.filter(|_| closing == 0), closing }
    }
}
