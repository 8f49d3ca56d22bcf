//! Parses and formats quantities of Kubernetes, such as `10Gi` (PURE).

/// The suffixes of quantities that stand for bytes, and how many.
const SUFFIXES: [(&str, u128); 12] = [
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("Pi", 1 << 50),
    ("Ei", 1 << 60),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
    ("P", 1_000_000_000_000_000),
    ("E", 1_000_000_000_000_000_000),
];

/// Parses a Kubernetes quantity to bytes, rounded up; `u64::MAX` if there are more. `None` if it is no quantity or is
/// negative.
pub fn parse_bytes(quantity: &str) -> Option<u64> {
    // The API server stores a size with its sign, as in `+10Gi`.
    let quantity = quantity.strip_prefix('+').unwrap_or(quantity);
    let end = quantity
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(quantity.len());
    let (number, suffix) = quantity.split_at(end);
    // Refuses a number without digits, or with two points.
    let rounded: f64 = number.parse().ok()?;
    let (times, power) = match SUFFIXES.iter().find(|(known, _)| *known == suffix) {
        Some((_, times)) => (*times, 0),
        None => match suffix {
            "" => (1, 0),
            "m" => (1, -3),
            "u" => (1, -6),
            "n" => (1, -9),
            _ => (1, suffix.strip_prefix(['e', 'E'])?.parse().ok()?),
        },
    };
    let exact = exact_bytes(number, times, power);
    // Too large, or more digits than count. The conversion ends at the largest number of its type.
    Some(exact.unwrap_or_else(|| (rounded * times as f64 * 10_f64.powi(power)).ceil() as u64))
}

/// `number`, digits with a point or none, times `times` and ten to the `power`, rounded up; `None` if that exceeds 64
/// bits, or a step on the way 128.
fn exact_bytes(number: &str, times: u128, power: i32) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits: u128 = format!("0{whole}{fraction}").parse().ok()?;
    let ten = 10_u128.checked_pow(power.unsigned_abs())?;
    let (times, over) = if power < 0 {
        (times, ten)
    } else {
        (times.checked_mul(ten)?, 1)
    };
    let denominator = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let bytes = digits.checked_mul(times)?.div_ceil(denominator.checked_mul(over)?);
    u64::try_from(bytes).ok()
}

/// Formats bytes exactly, with the largest of the suffixes `Ki` to `Ei` that leaves a whole number, such as `1536Mi`;
/// without a suffix if none does.
pub fn format_bytes(bytes: u64) -> String {
    let is_exact = |(suffix, unit): &&(&str, u128)| suffix.ends_with('i') && u128::from(bytes).is_multiple_of(*unit);
    match SUFFIXES.iter().rfind(is_exact) {
        Some((suffix, unit)) if bytes != 0 => format!("{}{suffix}", u128::from(bytes) / unit),
        _ => bytes.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_parsed_and_written_as_kubernetes_does() {
        for (quantity, wanted) in [
            ("1", Some(1)),
            ("1Gi", Some(1 << 30)),
            ("1.5Ki", Some(1536)),
            (".5Mi", Some(1 << 19)),
            ("5.Gi", Some(5 << 30)),
            ("500M", Some(500_000_000)),
            ("1e9", Some(1_000_000_000)),
            ("1E3", Some(1_000)),
            ("12E", Some(12_000_000_000_000_000_000)),
            ("1500m", Some(2)),
            ("1e-1", Some(1)),
            ("1e+3", Some(1_000)),
            ("+10Gi", Some(10 << 30)),
            ("+.5Ki", Some(512)),
            ("", None),
            (".", None),
            ("Gi", None),
            ("1G1", None),
            ("8Ei", Some(1 << 63)),
            ("18446744073709551615", Some(u64::MAX)),
            ("16Ei", Some(u64::MAX)),
            ("1e99", Some(u64::MAX)),
            ("1e999", Some(u64::MAX)),
            ("0e999", Some(0)),
            ("1e-99", Some(1)),
            ("99999999999999999999999999999999999999999Ki", Some(u64::MAX)),
            ("1.0000000000000000000000000000000000000000Gi", Some(1 << 30)),
            ("1.2.3", None),
            ("1e99999999999", None),
            ("-1Gi", None),
            ("+", None),
            ("++1Gi", None),
            ("+-1Gi", None),
        ] {
            assert_eq!(parse_bytes(quantity), wanted, "{quantity:?}");
        }
        for exact in ["0", "5", "1Gi", "1536Mi", "20Ti"] {
            assert_eq!(parse_bytes(exact).map(format_bytes).as_deref(), Some(exact));
        }
    }
}
