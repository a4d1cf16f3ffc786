//! Globs: `*`, `?` and `[…]` within one component of a path, decided without looking at any directory.
//!
//! Enters: patterns and names. Leaves: whether one matches the other; where both are patterns, whether they could.
//! A bracket counts as any one character: that can only make a match more likely, which rounds up.

/// Whether the text has characters that a shell would expand.
pub(super) fn is_glob(text: &str) -> bool {
    text.bytes().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

/// Whether the pattern matches the whole name.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    if !is_glob(pattern) {
        return pattern == name;
    }
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0_usize, 0_usize);
    // Where to go on if the last star has to take one character more.
    let mut star: Option<(usize, usize)> = None;
    while let Some(byte) = name.get(n) {
        match pattern.get(p) {
            Some(b'*') => {
                p = p.saturating_add(1);
                star = Some((p, n));
            }
            Some(b'[') => {
                p = after_bracket(pattern, p);
                n = n.saturating_add(1);
            }
            Some(wanted) if *wanted == b'?' || wanted == byte => {
                p = p.saturating_add(1);
                n = n.saturating_add(1);
            }
            _ => match star {
                Some((after, taken)) => {
                    p = after;
                    n = taken.saturating_add(1);
                    star = Some((after, n));
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
}

/// Whether a glob and a name or pattern of our own could mean the same component.
pub(super) fn could_match(glob: &str, ours: &str) -> bool {
    if !is_glob(ours) {
        // A leading star does not match a leading dot.
        let hidden = ours.starts_with('.') && glob.starts_with(['*', '?', '[']);
        return !hidden && matches(glob, ours);
    }
    let fixed = |text: &str| text.bytes().position(|byte| matches!(byte, b'*' | b'?' | b'[')).unwrap_or(text.len());
    let both = fixed(glob).min(fixed(ours));
    glob.as_bytes().get(..both) == ours.as_bytes().get(..both)
}

/// The place after a bracket expression; a bracket that is never closed stands for itself.
fn after_bracket(pattern: &[u8], open: usize) -> usize {
    let rest = pattern.get(open.saturating_add(2)..).unwrap_or_default();
    let close = rest.iter().position(|byte| *byte == b']');
    close.map_or(open.saturating_add(1), |at| open.saturating_add(at).saturating_add(3))
}
