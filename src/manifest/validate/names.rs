//! Names, labels and what refers to them (PURE).

/// A name as the API server takes it: an RFC 1123 subdomain.
///
/// # Errors
/// What in it is not allowed.
pub fn name(text: &str) -> Result<String, String> {
    if text.len() > 253 {
        return Err(format!("it has {} characters; a name has 253 at most", text.len()));
    }
    if !text.split('.').all(is_word) {
        return Err(
            "a name has lower-case letters, digits, `-` and `.`, and begins and ends with a letter or digit".to_owned(),
        );
    }
    Ok(text.to_owned())
}

/// A volume's name in a pod.
///
/// # Errors
/// What in it is not allowed.
pub fn pod_volume(text: &str) -> Result<String, String> {
    short("a volume's name in a pod", text, 63)
}

/// A namespace's name.
///
/// # Errors
/// What in it is not allowed.
pub fn namespace(text: &str) -> Result<String, String> {
    short("a namespace's name", text, 63)
}

/// A pod's name: its host name too, and here its container's.
///
/// # Errors
/// What in it is not allowed.
pub fn pod(text: &str) -> Result<String, String> {
    short("a pod's name", text, 63)
}

/// A StatefulSet's name: its pods carry it in a label, with a dash and up to ten digits behind it.
///
/// # Errors
/// What in it is not allowed.
pub fn stateful_set(text: &str) -> Result<String, String> {
    short("a StatefulSet's name", text, 52)
}

/// A Service's name, which begins with a letter.
///
/// # Errors
/// What in it is not allowed.
pub fn service(text: &str) -> Result<String, String> {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return Err("a Service's name begins with a letter".to_owned());
    }
    short("a Service's name", text, 63)
}

/// A Deployment's name, here its pods' too but for what is put behind it.
///
/// # Errors
/// What in it is not allowed.
pub fn deployment(text: &str) -> Result<String, String> {
    short("a Deployment's name", text, 63)
}

fn short(what: &str, text: &str, most: usize) -> Result<String, String> {
    if text.len() > most {
        return Err(format!("it has {} characters; {what} has {most} at most", text.len()));
    }
    if !is_word(text) {
        return Err(format!(
            "{what} has lower-case letters, digits and `-`, and begins and ends with a letter or digit"
        ));
    }
    Ok(text.to_owned())
}

/// Lower-case letters, digits and dashes, no dash at its ends; at least one.
fn is_word(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.starts_with(inner) && text.ends_with(inner) && text.chars().all(|c| inner(c) || c == '-')
}

/// The second half of a qualified name: up to 63 letters, digits, `-`, `_` and `.`.
fn is_qualified_word(word: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric();
    word.len() <= 63
        && word.starts_with(inner)
        && word.ends_with(inner)
        && word.chars().all(|c| inner(c) || "-_.".contains(c))
}

/// A provisioner's name: a qualified name such as `nfsprov/nfs`.
///
/// # Errors
/// What is wrong with it.
pub fn provisioner(text: &str) -> Result<String, String> {
    let (prefix, word) = text.split_once('/').unwrap_or(("x", text));
    match name(&prefix.to_ascii_lowercase()) {
        Ok(_) if is_qualified_word(word) => Ok(text.to_owned()),
        _ => Err("a provisioner's name is a word, or a domain, `/` and a word, such as nfsprov/nfs".to_owned()),
    }
}

/// A claim as `NAMESPACE/NAME`.
///
/// # Errors
/// What is wrong with it.
pub fn claim(text: &str) -> Result<(String, String), String> {
    let (space, claim) = text.split_once('/').ok_or("a claim is given as NAMESPACE/NAME")?;
    Ok((namespace(space)?, name(claim)?))
}

/// A label as `KEY=VALUE`.
///
/// # Errors
/// What is wrong with it.
pub fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("a label is given as KEY=VALUE")?;
    let (prefix, last) = key.split_once('/').unwrap_or(("x", key));
    if name(prefix).is_err() || !is_qualified_word(last) {
        return Err(format!(
            "{key:?} is no label key: up to 63 letters, digits, `-`, `_` and `.`, perhaps with a domain and `/` before them"
        ));
    }
    if !(value.is_empty() || is_qualified_word(value)) {
        return Err(format!(
            "{value:?} is no label value: up to 63 letters, digits, `-`, `_` and `.`"
        ));
    }
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::holds;
    use super::*;

    #[test]
    fn names() {
        let (longest, longer) = ("a".repeat(253), "a".repeat(254));
        holds(
            name,
            &["a", "mypv", "a-b.c", "0", &longest],
            &["", "A", "a_b", "-a", "a-", "a..b", ".a", "a/b", "é", &longer],
        );
    }

    #[test]
    fn names_that_are_one_label() {
        let (longest, longer) = ("a".repeat(63), "a".repeat(64));
        for check in [pod_volume, namespace, pod, service] {
            holds(check, &["a", "a-0", &longest], &["", "a.b", "A", "-a", &longer]);
        }
        holds(service, &["web"], &["0web"]);
        holds(stateful_set, &["0web", &"a".repeat(52)], &["a.b", &"a".repeat(53)]);
        holds(deployment, &["nfsprov", &"a".repeat(63)], &["a.b", &"a".repeat(64)]);
    }

    #[test]
    fn what_refers_to_names() {
        holds(
            provisioner,
            &["nfsprov/nfs", "fuseim.pri/ifs", "nfs"],
            &["", "/nfs", "a/", "a/b/c", "a b/c"],
        );
        holds(claim, &["default/c"], &["c", "/c", "default/", "A/b", "a/b/c", "a.b/c"]);
        let (longest, longer) = (format!("a={}", "x".repeat(63)), format!("a={}", "x".repeat(64)));
        holds(
            label,
            &["a=b", "a.io/b=c", "a=", &longest],
            &["a", "=b", "a b=c", "a=b c", "a=-b", "A/=c", "a/b/c=d", &longer],
        );
    }
}
