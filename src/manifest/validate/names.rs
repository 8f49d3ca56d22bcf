//! Names, labels and references to names (PURE). Each check returns the text unchanged, or one sentence that says what
//! is wrong with it; whether an object of the name exists is not looked up.

/// An RFC 1123 subdomain.
pub fn check_name(text: &str) -> Result<String, String> {
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

/// An RFC 1123 label.
pub fn check_pod_volume_name(text: &str) -> Result<String, String> {
    check_rfc1123_label("a volume's name in a pod", text, 63)
}

/// An RFC 1123 label.
pub fn check_namespace(text: &str) -> Result<String, String> {
    check_rfc1123_label("a namespace's name", text, 63)
}

/// An RFC 1123 label: a pod's name is also its host name, and nfsprov gives it to the container.
pub fn check_pod_name(text: &str) -> Result<String, String> {
    check_rfc1123_label("a pod's name", text, 63)
}

/// An RFC 1123 label of 52 characters at most: pods have the name in a label, with a dash and up to ten digits after.
pub fn check_stateful_set_name(text: &str) -> Result<String, String> {
    check_rfc1123_label("a StatefulSet's name", text, 52)
}

/// An RFC 1123 label that begins with a letter.
pub fn check_service_name(text: &str) -> Result<String, String> {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return Err("a Service's name begins with a letter".to_owned());
    }
    check_rfc1123_label("a Service's name", text, 63)
}

/// An RFC 1123 label.
pub fn check_deployment_name(text: &str) -> Result<String, String> {
    check_rfc1123_label("a Deployment's name", text, 63)
}

/// A label of `max_length` characters at most; the error calls it `what`.
fn check_rfc1123_label(what: &str, text: &str, max_length: usize) -> Result<String, String> {
    if text.len() > max_length {
        return Err(format!(
            "it has {} characters; {what} has {max_length} at most",
            text.len()
        ));
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

/// A qualified name such as `nfsprov/nfs`, or a word. Upper-case letters and `_` pass, which no Lease can have.
pub fn check_provisioner_name(text: &str) -> Result<String, String> {
    let (prefix, word) = text.split_once('/').unwrap_or(("x", text));
    match check_name(&prefix.to_ascii_lowercase()) {
        Ok(_) if is_qualified_word(word) => Ok(text.to_owned()),
        _ => Err("a provisioner's name is a word, or a domain, `/` and a word, such as nfsprov/nfs".to_owned()),
    }
}

/// A claim as `NAMESPACE/NAME`.
pub fn parse_claim(text: &str) -> Result<(String, String), String> {
    let (space, claim) = text.split_once('/').ok_or("a claim is given as NAMESPACE/NAME")?;
    Ok((check_namespace(space)?, check_name(claim)?))
}

/// A label as `KEY=VALUE`; the value may be empty.
pub fn parse_label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("a label is given as KEY=VALUE")?;
    let (prefix, last) = key.split_once('/').unwrap_or(("x", key));
    if check_name(prefix).is_err() || !is_qualified_word(last) {
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
    use super::super::assert_check;
    use super::*;

    #[test]
    fn names() {
        let (longest, longer) = ("a".repeat(253), "a".repeat(254));
        assert_check(
            check_name,
            &["a", "mypv", "a-b.c", "0", &longest],
            &["", "A", "a_b", "-a", "a-", "a..b", ".a", "a/b", "é", &longer],
        );
    }

    #[test]
    fn names_that_are_one_label() {
        let (longest, longer) = ("a".repeat(63), "a".repeat(64));
        for check in [
            check_pod_volume_name,
            check_namespace,
            check_pod_name,
            check_service_name,
        ] {
            assert_check(check, &["a", "a-0", &longest], &["", "a.b", "A", "-a", &longer]);
        }
        assert_check(check_service_name, &["web"], &["0web"]);
        assert_check(
            check_stateful_set_name,
            &["0web", &"a".repeat(52)],
            &["a.b", &"a".repeat(53)],
        );
        assert_check(
            check_deployment_name,
            &["nfsprov", &"a".repeat(63)],
            &["a.b", &"a".repeat(64)],
        );
    }

    #[test]
    fn what_refers_to_names() {
        assert_check(
            check_provisioner_name,
            &["nfsprov/nfs", "fuseim.pri/ifs", "nfs"],
            &["", "/nfs", "a/", "a/b/c", "a b/c"],
        );
        assert_check(
            parse_claim,
            &["default/c"],
            &["c", "/c", "default/", "A/b", "a/b/c", "a.b/c"],
        );
        let (longest, longer) = (format!("a={}", "x".repeat(63)), format!("a={}", "x".repeat(64)));
        assert_check(
            parse_label,
            &["a=b", "a.io/b=c", "a=", &longest],
            &["a", "=b", "a b=c", "a=b c", "a=-b", "A/=c", "a/b/c=d", &longer],
        );
    }
}
