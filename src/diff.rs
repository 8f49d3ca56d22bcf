//! Unified diffs for users (PURE). Secrets are masked, so patch(1) can't apply them.

mod mask;

use similar::TextDiff;

/// The lines of context around a change.
const AROUND: usize = 3;

/// The unified diff of two texts with the file names `old` and `new`; empty if they are equal, or if only secrets that
/// both have change places. Secrets are masked, hidden characters are not escaped.
pub fn unified_diff(before: &str, after: &str, old: &str, new: &str) -> String {
    if before == after {
        return String::new();
    }
    let (before, after) = mask::mask_secrets(before, after);
    let diff = TextDiff::from_lines(&before, &after);
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
            unified_diff(before, "a\nb\nc\nd\nE\nf\n", "old", "new"),
            "--- old\n+++ new\n@@ -2,5 +2,5 @@\n b\n c\n d\n-e\n+E\n f\n"
        );
        assert_eq!(
            unified_diff("", "a\n", "old", "new"),
            "--- old\n+++ new\n@@ -0,0 +1 @@\n+a\n"
        );
        assert_eq!(unified_diff(before, before, "old", "new"), "");
        // A line's end is a part of it.
        assert!(unified_diff("a\r\n", "a\n", "old", "new").contains("-a\r\n+a\n"));
    }

    #[test]
    fn no_diff_shows_a_secret_beside_what_changes() {
        let before = "token: s3cret\nwrite-kubeconfig-mode: 644\n";
        let after = format!("{before}kube-apiserver-arg: [\"feature-gates=RemoveSelfLink=false\"]\n");
        let shown = unified_diff(before, &after, "old", "new");
        assert!(
            shown.contains(" token: (hidden)\n") && !shown.contains("s3cret"),
            "{shown}"
        );
        assert_ne!(unified_diff("token: a\n", "token: b\n", "old", "new"), "");
    }
}
