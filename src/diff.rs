//! Unified diffs for users (PURE). Secrets are masked, so patch(1) can't apply them.

mod mask;

use std::collections::HashSet;

use similar::{ChangeTag, TextDiff};

/// The lines of context around a change.
const AROUND: usize = 3;

/// The unified diff of two texts with the file names `old` and `new`; empty only if they are equal. Secrets are masked,
/// hidden characters are not escaped.
pub fn unified_diff(before: &str, after: &str, old: &str, new: &str) -> String {
    if before == after {
        return String::new();
    }
    let (shown_before, shown_after) = mask::mask_secrets(before, after);
    let shown_after = mark_moved_secrets((before, after), (&shown_before, &shown_after));
    let diff = TextDiff::from_lines(&shown_before, &shown_after);
    let mut shown = diff.unified_diff();
    shown.context_radius(AROUND).header(old, new).to_string()
}

/// The lines of a text with their ends.
fn lines_of(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// The masked text after, with the secrets of a line marked as changed if that line is new and looks like one that was
/// removed: two secrets may have changed places. Of two such lines, only the one that moved may be marked. Takes the
/// texts before and after, and the same masked, line by line.
fn mark_moved_secrets((before, after): (&str, &str), (shown_before, shown_after): (&str, &str)) -> String {
    let (before, after) = (lines_of(before), lines_of(after));
    let diff = TextDiff::from_slices(&before, &after);
    let with_tag = |tag: ChangeTag| diff.iter_all_changes().filter(move |change| change.tag() == tag);
    let shown_before = lines_of(shown_before);
    let removed: HashSet<&str> = with_tag(ChangeTag::Delete)
        .filter_map(|change| shown_before.get(change.old_index()?).copied())
        .collect();
    let added: HashSet<usize> = with_tag(ChangeTag::Insert)
        .filter_map(|change| change.new_index())
        .collect();
    let mark = |(number, line): (usize, &str)| match added.contains(&number) && removed.contains(line) {
        true => line.replace(mask::HIDDEN, mask::CHANGED),
        false => line.to_owned(),
    };
    lines_of(shown_after).into_iter().enumerate().map(mark).collect()
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

    #[test]
    fn secrets_that_change_places_are_told() {
        for (before, after, changed) in [
            ("token: a\nagent-token: b\n", "token: b\nagent-token: a\n", 2),
            ("--token a --agent-token b\n", "--token b --agent-token a\n", 2),
            ("token:\n- a\n- b\n", "token:\n- b\n- a\n", 1),
            ("token: |\n  a\nsecret: |\n  b\n", "token: |\n  b\nsecret: |\n  a\n", 1),
            // What is new beside a secret is no change of it.
            ("--token a\n", "--token a --x\n", 0),
            ("token: a\n", "token: a\nagent-token: a\n", 0),
        ] {
            let shown = unified_diff(before, after, "old", "new");
            let added = shown
                .lines()
                .filter(|line| line.starts_with('+') && !line.starts_with("+++"));
            let found: usize = added.map(|line| line.matches("(hidden, changed)").count()).sum();
            assert!(!shown.is_empty() && found == changed, "{before:?} {after:?}: {shown}");
        }
    }
}
