//! Sizes, modes and ids (PURE). Each check returns the text unchanged, or one sentence that says what is wrong with it.

use crate::cluster::quantity::parse_bytes;

/// A storage size as a Kubernetes quantity above zero and below 8Ei: `1Gi`, `500M`, `1.5Ti`, `1e9`. A `+` before it passes.
pub fn check_size(text: &str) -> Result<String, String> {
    const SUFFIXES: [&str; 16] = [
        "", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei",
    ];
    if text.starts_with('-') {
        return Err("a size is more than zero".to_owned());
    }
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    let end = unsigned
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(end);
    let digits = number.chars().filter(char::is_ascii_digit).count();
    let exponent = suffix.strip_prefix(['e', 'E']).is_some_and(|power| {
        let power = power.strip_prefix(['+', '-']).unwrap_or(power);
        (1..=2).contains(&power.len()) && power.chars().all(|c| c.is_ascii_digit())
    });
    if digits == 0 || number.matches('.').count() > 1 || !(exponent || SUFFIXES.contains(&suffix)) {
        return Err("a size is a number and a suffix, such as 1Gi, 500Mi or 1.5T".to_owned());
    }
    if number.chars().all(|c| c == '0' || c == '.') {
        return Err("a size is more than zero".to_owned());
    }
    // Kubernetes counts bytes as i64. Of larger sizes, it stores some as the largest, and others wrap around.
    if parse_bytes(text).is_none_or(|bytes| i64::try_from(bytes).is_err()) {
        return Err("a size is less than 8Ei".to_owned());
    }
    Ok(text.to_owned())
}

/// Permission bits in octal, as `chmod` takes them: up to 7777, without a prefix.
pub fn check_mode(text: &str) -> Result<String, String> {
    let octal = text.chars().all(|c| c.is_digit(8));
    match u32::from_str_radix(text, 8) {
        Ok(mode) if octal && mode <= 0o7777 => Ok(text.to_owned()),
        _ => Err("a mode is octal, such as 0770".to_owned()),
    }
}

/// The id of a user or group. 4294967295 is refused: to `chown` it means "unchanged".
pub fn check_id(text: &str) -> Result<String, String> {
    let decimal = text.chars().all(|c| c.is_ascii_digit());
    match text.parse::<u32>() {
        Ok(id) if decimal && id < u32::MAX => Ok(text.to_owned()),
        _ => Err("an id is a number from 0 to 4294967294".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::assert_check;
    use super::*;

    #[test]
    fn sizes() {
        assert_check(
            check_size,
            &[
                "1", "1Gi", "500M", "1.5Ti", ".5Gi", "1e9", "1E3", "9E", "1k", "100m", "1e+3", "5.Gi", "+1Gi", "1n",
                "1u", "1G", "1T", "1P", "1Ki", "1Mi", "1Pi", "1Ei", "1e-3", "1e-99",
            ],
            &[
                "", "1G1", "Gi", "1gi", "1 Gi", "-1Gi", "1.2.3", "0", "0.0Gi", "1KB", "1K", "1e", "1e999", "٣Gi", ".",
                "++1", "+", "1Zi", "1,5Gi", "1_000", "0x10", "8Ei", "16Ei", "12E", "1e99",
            ],
        );
        assert_check(check_size, &["9223372036854775807"], &["9223372036854775808"]);
    }

    #[test]
    fn modes_and_ids() {
        assert_check(
            check_mode,
            &["0777", "770", "2775", "0"],
            &["", "0o777", "999", "17777", "rwx", "+777", "-1"],
        );
        assert_check(
            check_id,
            &["0", "1000", "4294967294"],
            &["", "-1", "+1", "4294967295", "root", "1.5"],
        );
    }
}
