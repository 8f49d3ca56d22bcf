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

/// Parses a Kubernetes quantity to bytes, rounded up; `None` if it is no quantity, is negative, or exceeds 64 bits.
pub fn parse_bytes(quantity: &str) -> Option<u64> {
    // The API server stores a size with its sign, as in `+10Gi`.
    let quantity = quantity.strip_prefix('+').unwrap_or(quantity);
    let end = quantity
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(quantity.len());
    let (number, suffix) = quantity.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    // `numerator / denominator` bytes, before the suffix.
    let numerator: u128 = format!("0{whole}{fraction}").parse().ok()?;
    let denominator = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let (times, over) = match SUFFIXES.iter().find(|(known, _)| *known == suffix) {
        Some((_, times)) => (*times, 1),
        None => match suffix {
            "" => (1, 1),
            "m" => (1, 1_000),
            "u" => (1, 1_000_000),
            "n" => (1, 1_000_000_000),
            _ => {
                let power: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
                let ten = 10_u128.checked_pow(power.unsigned_abs())?;
                if power < 0 { (1, ten) } else { (ten, 1) }
            }
        },
    };
    let bytes = numerator.checked_mul(times)?.div_ceil(denominator.checked_mul(over)?);
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
            ("1e99", None),
            ("16Ei", None),
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
