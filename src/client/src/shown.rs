//! Text of others as this client shows it: one line, bounded, inert.

/// The text with every character that is not a plain one made visible, at most `max` bytes.
#[must_use]
pub fn inert(text: &str, max: usize) -> String {
    let mut shown = String::new();
    for character in text.chars() {
        if character.is_ascii_graphic() || character == ' ' {
            shown.push(character)
        } else {
            shown.extend(character.escape_unicode())
        }
        if shown.len() > max {
            shown.push('…');
            break;
        }
    }
    shown
}
