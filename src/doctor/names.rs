//! Names (PURE): finds the existing name that a misspelt one means, and lists names.

use std::borrow::Borrow;

use super::Object;

/// The one name among `known` that `name` may be a typing mistake of; `None` if there are several or none. `name`
/// itself is no such name, and one that is known twice counts once. It is a guess, which the user has to judge.
pub fn find_closest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut similar = known
        .into_iter()
        .filter(|other| *other != name && may_be_typing_mistake(name, other));
    let first = similar.next()?;
    similar.all(|other| other == first).then_some(first)
}

/// Whether two names differ only as by a typing mistake: in case, in separators (if no digit is in them), in a letter
/// of one long word, or in two swapped letters of one word. Also true for equal names.
///
/// Different names that belong together don't count: they differ in a whole word, a digit or a short word, as
/// `nfs-prod` and `nfs-dev`, `nfs-1` and `nfs-2`, `nfs-ssd` and `nfs-hdd`, `fast` and `last`.
fn may_be_typing_mistake(name: &str, other: &str) -> bool {
    let (name, other) = (name.to_lowercase(), other.to_lowercase());
    let (words, others) = (words_of(&name), words_of(&other));
    if words.concat() == others.concat() {
        // A separator between digits says which number it is: 1-12 is not 11-2.
        return words == others || !name.contains(|c: char| c.is_ascii_digit());
    }
    let mut differing = words.iter().zip(&others).filter(|(word, other)| word != other);
    words.len() == others.len()
        && differing.next().is_some_and(|(word, other)| is_misspelt(word, other))
        && differing.next().is_none()
}

/// The runs of letters and digits in a name.
fn words_of(name: &str) -> Vec<&str> {
    let words = name.split(|c: char| !c.is_alphanumeric());
    words.filter(|word| !word.is_empty()).collect()
}

/// Whether a word is another one with two neighbouring letters swapped or, in a word of seven letters or more, with one
/// letter wrong, missing or too many. Words that differ in a digit are not, nor are equal words.
fn is_misspelt(word: &str, other: &str) -> bool {
    const SWAPPABLE: usize = 3;
    const LONG: usize = 7;
    let sorted = |text: &str| {
        let mut letters: Vec<char> = text.chars().collect();
        letters.sort_unstable();
        letters
    };
    let digits = |text: &str| -> String { text.chars().filter(char::is_ascii_digit).collect() };
    let length = word.chars().count().max(other.chars().count());
    let swapped = length >= SWAPPABLE && sorted(word) == sorted(other);
    digits(word) == digits(other) && (swapped || length >= LONG) && strsim::damerau_levenshtein(word, other) == 1
}

/// The first five names, and how many more there are; the word `none` without names.
pub fn list_names<T: Borrow<str>>(names: &[T]) -> String {
    const FEW: usize = 5;
    match names.len() {
        0 => "none".to_owned(),
        count if count > FEW => format!("{} and {} more", names[..FEW].join(", "), count - FEW),
        _ => names.join(", "),
    }
}

/// The titles of the first five objects, and how many more there are; the word `none` without objects.
pub fn list_titles(objects: &[Object]) -> String {
    list_names(&objects.iter().map(Object::title).collect::<Vec<_>>())
}

/// A number of things: `1 claim`, `2 classes`. The plural gets `s`, after s and x `es`.
pub fn count_of(count: usize, noun: &str) -> String {
    match (count, noun.ends_with(['s', 'x'])) {
        (1, _) => format!("1 {noun}"),
        (_, true) => format!("{count} {noun}es"),
        (_, false) => format!("{count} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_names_are_recognized_and_other_names_are_not() {
        let known = ["managed-nfs-storage", "local-path", "nfs"];
        for (written, meant) in [
            ("managed-nfs-storge", Some("managed-nfs-storage")),
            ("manged-nfs-storage", Some("managed-nfs-storage")),
            ("Managed_NFS_storage", Some("managed-nfs-storage")),
            ("managednfsstorage", Some("managed-nfs-storage")),
            ("nsf", Some("nfs")),
            ("managed-storage", None),
            ("gold", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(find_closest(written, known), meant, "{written}");
        }
        // Which of two is meant is not known.
        assert_eq!(find_closest("storag", ["storage", "storagy"]), None);
    }

    #[test]
    fn names_of_siblings_are_not_misspelt_ones() {
        for (one, other) in rows! {
            ("nfs-1", "nfs-2"),
            ("nfs-a", "nfs-b"),
            ("nfs-prod", "nfs-dev"),
            ("nfs-ssd", "nfs-hdd"),
            ("fast", "last"),
            ("nfs", "nfs2"),
            ("pv-1-12", "pv-11-2"),
            ("storage12", "storage21"),
            ("storage-1", "storage-11"),
            ("data-pv-3", "data-pv-1"),
            ("east-storage", "west-storage"),
            ("fuseim.pri/ifs", "fuseim.pri/nfs"),
            ("cluster.local/nfs-prod-nfs-subdir-external-provisioner",
                "cluster.local/nfs-dev-nfs-subdir-external-provisioner"),
            ("cluster.local/nfs-subdir-external-provisioner", "cluster.local/nfs-client-subdir-external-provisioner"),
        } {
            assert_eq!(find_closest(one, [other]), None, "{one} {other}");
            assert_eq!(find_closest(other, [one]), None, "{other} {one}");
        }
    }
}
