//! How many columns a text takes on a terminal.

use unicode_width::UnicodeWidthChar as _;

/// Number of columns that a text takes. Some characters take two columns, others none.
pub fn columns(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// The part of a text that fits in this number of columns.
pub fn beginning(text: &str, columns: usize) -> &str {
    let mut used = 0;
    let end = text.char_indices().find_map(|(at, c)| {
        used += c.width().unwrap_or(0);
        (used > columns).then_some(at)
    });
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::beginning;

    #[test]
    fn a_line_is_cut_at_the_width_of_the_terminal() {
        assert_eq!(beginning("abcd", 4), "abcd");
        assert_eq!(beginning("abcd", 3), "abc");
        // Each of these takes two columns.
        assert_eq!(beginning("工作", 4), "工作");
        assert_eq!(beginning("工作", 3), "工");
    }
}
