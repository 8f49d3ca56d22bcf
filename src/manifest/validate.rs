//! Values refused before they reach the cluster (PURE): each check says in one sentence what is wrong.

use std::net::IpAddr;

/// A name as the API server takes it: an RFC 1123 subdomain.
///
/// # Errors
/// What in it is not allowed.
pub fn name(text: &str) -> Result<String, String> {
    let label = |label: &str| {
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        label.starts_with(inner) && label.ends_with(inner) && label.chars().all(|c| inner(c) || c == '-')
    };
    if text.len() > 253 {
        return Err(format!("it has {} characters; a name has 253 at most", text.len()));
    }
    if !text.split('.').all(label) {
        return Err(
            "a name has lower-case letters, digits, `-` and `.`, and begins and ends with a letter or digit".into(),
        );
    }
    Ok(text.to_owned())
}

/// A storage size as a Kubernetes quantity, more than nothing: `1Gi`, `500M`, `1.5Ti`, `1e9`.
///
/// # Errors
/// What a size looks like.
pub fn size(text: &str) -> Result<String, String> {
    const SUFFIXES: [&str; 16] = [
        "", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei",
    ];
    let shape = "a size is a number and a suffix, such as 1Gi, 500Mi or 1.5T";
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let digits = number.chars().filter(char::is_ascii_digit).count();
    let exponent = suffix.strip_prefix(['e', 'E']).is_some_and(|power| {
        let power = power.strip_prefix(['+', '-']).unwrap_or(power);
        (1..=2).contains(&power.len()) && power.chars().all(|c| c.is_ascii_digit())
    });
    if digits == 0 || number.matches('.').count() > 1 || !(exponent || SUFFIXES.contains(&suffix)) {
        return Err(shape.to_owned());
    }
    if number.chars().all(|c| c == '0' || c == '.') {
        return Err("a size is more than zero".to_owned());
    }
    Ok(text.to_owned())
}

/// The host name or address of an NFS server.
///
/// # Errors
/// What is wrong with it.
pub fn server(text: &str) -> Result<String, String> {
    let address = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    if address.parse::<IpAddr>().is_ok() {
        return Ok(address.to_owned());
    }
    if text.contains('/') || text.contains(':') {
        return Err("a server is a host name or an address, without path or port".to_owned());
    }
    let host = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    if text.len() > 253 || !text.trim_end_matches('.').split('.').all(host) {
        return Err("this is neither a host name nor an address".to_owned());
    }
    Ok(text.to_owned())
}

/// The exported directory: absolute, without `.`, `..` or empty components.
///
/// # Errors
/// What is wrong with it.
pub fn path(text: &str) -> Result<String, String> {
    if !text.starts_with('/') {
        return Err("an exported path is absolute: it begins with /".to_owned());
    }
    if text.chars().any(char::is_control) {
        return Err("the path has a control character".to_owned());
    }
    if text == "/" {
        return Ok(text.to_owned());
    }
    let trimmed = text.strip_suffix('/').unwrap_or(text);
    if trimmed.split('/').skip(1).any(|name| matches!(name, "" | "." | "..")) {
        return Err("the path has an empty, `.` or `..` component; write it out".to_owned());
    }
    Ok(trimmed.to_owned())
}

/// A provisioner's name: a qualified name such as `nfsprov/nfs`.
///
/// # Errors
/// What is wrong with it.
pub fn provisioner(text: &str) -> Result<String, String> {
    let (prefix, word) = text.split_once('/').unwrap_or(("x", text));
    let inner = |c: char| c.is_ascii_alphanumeric();
    let shape = word.starts_with(inner)
        && word.ends_with(inner)
        && word.len() <= 63
        && word.chars().all(|c| inner(c) || "-_.".contains(c));
    match name(&prefix.to_ascii_lowercase()) {
        Ok(_) if shape => Ok(text.to_owned()),
        _ => Err("a provisioner's name is a word, or a domain, `/` and a word, such as nfsprov/nfs".to_owned()),
    }
}

/// A claim as `NAMESPACE/NAME`.
///
/// # Errors
/// What is wrong with it.
pub fn claim(text: &str) -> Result<(String, String), String> {
    let (namespace, claim) = text.split_once('/').ok_or("a claim is given as NAMESPACE/NAME")?;
    Ok((name(namespace)?, name(claim)?))
}

/// A label as `KEY=VALUE`.
///
/// # Errors
/// What is wrong with it.
pub fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("a label is given as KEY=VALUE")?;
    let inner = |c: char| c.is_ascii_alphanumeric();
    let word = |word: &str| {
        word.len() <= 63
            && word.starts_with(inner)
            && word.ends_with(inner)
            && word.chars().all(|c| inner(c) || "-_.".contains(c))
    };
    let (prefix, last) = key.split_once('/').unwrap_or(("x", key));
    if name(prefix).is_err() || !word(last) {
        return Err(format!("{key:?} is no label key"));
    }
    if !(value.is_empty() || word(value)) {
        return Err(format!(
            "{value:?} is no label value: up to 63 letters, digits, `-`, `_` and `.`"
        ));
    }
    Ok((key.to_owned(), value.to_owned()))
}

/// A mount option, as in `/etc/fstab`.
///
/// # Errors
/// What is wrong with it.
pub fn mount_option(text: &str) -> Result<String, String> {
    if text.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control() || c == ',') {
        return Err("a mount option is one word; give --mount-option again for each".to_owned());
    }
    Ok(text.to_owned())
}

/// Permission bits in octal, as `chmod` takes them.
///
/// # Errors
/// What is wrong with them.
pub fn mode(text: &str) -> Result<String, String> {
    match u32::from_str_radix(text, 8) {
        Ok(mode) if mode <= 0o7777 => Ok(text.to_owned()),
        _ => Err("a mode is octal, such as 0770".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each check with what it takes and what it refuses.
    fn holds<T>(check: fn(&str) -> Result<T, String>, good: &[&str], bad: &[&str]) {
        for text in good {
            assert!(check(text).is_ok(), "{text:?} was refused");
        }
        for text in bad {
            assert!(check(text).is_err(), "{text:?} was taken");
        }
    }

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
    fn sizes() {
        holds(
            size,
            &[
                "1", "1Gi", "500M", "1.5Ti", ".5Gi", "1e9", "1E3", "12E", "1k", "100m", "1e+3", "5.Gi",
            ],
            &[
                "", "1G1", "Gi", "1gi", "1 Gi", "-1Gi", "1.2.3", "0", "0.0Gi", "1KB", "1K", "1e", "1e999", "٣Gi", ".",
            ],
        );
    }

    #[test]
    fn servers() {
        holds(
            server,
            &[
                "nfs",
                "nfs.example.com",
                "10.0.0.1",
                "fd00::1",
                "[fd00::1]",
                "host_1",
                "a.",
            ],
            &["", "nfs:/data", "nfs:2049", "a b", "http://a", "a..b", "ñ"],
        );
        assert_eq!(server("[fd00::1]").unwrap(), "fd00::1");
    }

    #[test]
    fn paths() {
        holds(
            path,
            &["/", "/nfsdata", "/a b/c", "/nfsdata/", "/数据"],
            &["", "nfsdata", "/a/../b", "/a//b", "/./a", "//", "/a\nb"],
        );
        assert_eq!(path("/nfsdata/").unwrap(), "/nfsdata");
    }

    #[test]
    fn the_rest() {
        holds(
            provisioner,
            &["nfsprov/nfs", "fuseim.pri/ifs", "nfs"],
            &["", "/nfs", "a/", "a/b/c", "a b/c"],
        );
        holds(claim, &["default/c"], &["c", "/c", "default/", "A/b", "a/b/c"]);
        holds(
            label,
            &["a=b", "a.io/b=c", "a="],
            &["a", "=b", "a b=c", "a=b c", "a=-b", "A/=c"],
        );
        holds(mount_option, &["ro", "nfsvers=4.1"], &["", "ro,soft", "a b"]);
        holds(mode, &["0777", "770", "2775"], &["", "0o777", "999", "17777", "rwx"]);
    }
}
