//! Kubernetes quantities as numbers (PURE).

/// The value of a quantity in thousandths, so that `1500m` and `1.5` are equal; smaller parts are cut off. `None` if it
/// is no quantity, or too large.
pub fn parse(text: &str) -> Option<i128> {
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+')))
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (numerator, denominator): (i128, i128) = match suffix {
        "" => (1000, 1),
        "n" => (1, 1_000_000),
        "u" => (1, 1000),
        "m" => (1, 1),
        "k" => (1000 * 1000, 1),
        "M" => (1000 * 1000_i128.pow(2), 1),
        "G" => (1000 * 1000_i128.pow(3), 1),
        "T" => (1000 * 1000_i128.pow(4), 1),
        "P" => (1000 * 1000_i128.pow(5), 1),
        "E" => (1000 * 1000_i128.pow(6), 1),
        "Ki" => (1000 * 1024, 1),
        "Mi" => (1000 * 1024_i128.pow(2), 1),
        "Gi" => (1000 * 1024_i128.pow(3), 1),
        "Ti" => (1000 * 1024_i128.pow(4), 1),
        "Pi" => (1000 * 1024_i128.pow(5), 1),
        "Ei" => (1000 * 1024_i128.pow(6), 1),
        exponent => {
            let power: u32 = exponent
                .strip_prefix(['e', 'E'])?
                .trim_start_matches('+')
                .parse()
                .ok()?;
            (1000 * 10_i128.checked_pow(power)?, 1)
        }
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.chars().any(|c| !c.is_ascii_digit()) || fraction.len() > 12 {
        return None;
    }
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let scale = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
    Some(digits.checked_mul(numerator)? / (denominator * scale))
}

/// Thousandths as the shortest exact quantity.
pub fn print(value: i128) -> String {
    if value % 1000 != 0 {
        return format!("{value}m");
    }
    let value = value / 1000;
    for (suffix, power) in [("Ei", 6), ("Pi", 5), ("Ti", 4), ("Gi", 3), ("Mi", 2), ("Ki", 1)] {
        let unit = 1024_i128.pow(power);
        if value != 0 && value % unit == 0 {
            return format!("{}{suffix}", value / unit);
        }
    }
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_as_the_api_server_reads_them() {
        for (text, value) in [
            ("1Gi", Some((1 << 30) * 1000)),
            ("1.5Ti", Some((3 << 39) * 1000)),
            ("500M", Some(500_000_000_000)),
            ("1500m", Some(1500)),
            ("2e9", Some(2_000_000_000_000)),
            ("0", Some(0)),
            ("", None),
            ("1G1", None),
            ("Gi", None),
        ] {
            assert_eq!(parse(text), value, "{text}");
        }
    }

    #[test]
    fn quantities_are_written_exactly() {
        for text in ["1Gi", "1536Mi", "5", "1500m", "20Ti", "0"] {
            assert_eq!(print(parse(text).unwrap()), text);
        }
    }
}
