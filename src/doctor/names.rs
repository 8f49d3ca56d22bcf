//! Names that were meant (PURE): the nearest among those that exist, and names put into command lines.

/// The name among `known` that somebody who wrote `name` may have meant.
pub fn closest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace(['-', '_', '.', '/'], "");
    let wanted = plain(name);
    known
        .into_iter()
        .filter(|other| *other != name)
        .map(|other| (strsim::damerau_levenshtein(&wanted, &plain(other)), other))
        // A third of the letters may be wrong; more, and it is another name.
        .filter(|(distance, _)| distance * 3 <= wanted.chars().count())
        .min()
        .map(|(_, other)| other)
}

/// A word of a shell's command line, quoted where it has to be.
pub fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// A few names, and how many more there are.
pub fn some(names: &[&str]) -> String {
    const FEW: usize = 5;
    match names.len() {
        0 => "none".to_owned(),
        count if count > FEW => format!("{} and {} more", names[..FEW].join(", "), count - FEW),
        _ => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_name_is_not() {
        let known = ["managed-nfs-storage", "local-path", "nfs"];
        for (written, meant) in [
            ("managed-nfs-storge", Some("managed-nfs-storage")),
            ("Managed_NFS_storage", Some("managed-nfs-storage")),
            ("nsf", Some("nfs")),
            ("gold", None),
            ("x", None),
        ] {
            assert_eq!(closest(written, known), meant, "{written}");
        }
    }

    #[test]
    fn words_are_quoted_where_a_shell_would_change_them() {
        for (text, quoted) in [
            ("a-b/c", "a-b/c"),
            ("", "''"),
            ("a b", "'a b'"),
            ("$(x)", "'$(x)'"),
            ("it's", r"'it'\''s'"),
        ] {
            assert_eq!(word(text), quoted);
        }
    }
}
