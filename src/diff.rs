//! What changes in a text, as patch(1) reads it (PURE).

use similar::TextDiff;

/// How many lines around a change are shown.
const AROUND: usize = 3;

/// The lines that differ, with a few around them; empty if none do.
pub fn unified(before: &str, after: &str, old: &str, new: &str) -> String {
    let diff = TextDiff::from_lines(before, after);
    if before == after {
        return String::new();
    }
    let mut shown = diff.unified_diff();
    shown.context_radius(AROUND).header(old, new).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_shown_with_what_is_around_it() {
        let before = "a\nb\nc\nd\ne\nf\n";
        assert_eq!(
            unified(before, "a\nb\nc\nd\nE\nf\n", "old", "new"),
            "--- old\n+++ new\n@@ -2,5 +2,5 @@\n b\n c\n d\n-e\n+E\n f\n"
        );
        assert_eq!(
            unified("", "a\n", "old", "new"),
            "--- old\n+++ new\n@@ -0,0 +1 @@\n+a\n"
        );
        assert_eq!(unified(before, before, "old", "new"), "");
        // A line's end is a part of it.
        assert!(unified("a\r\n", "a\n", "old", "new").contains("-a\r\n+a\n"));
    }
}
