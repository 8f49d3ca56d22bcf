//! Formats and parses sizes and ages as users write them (PURE).

pub use crate::cluster::quantity::parse_bytes;

/// Formats bytes, rounded, as a quantity of at most four digits: `512`, `1.5Ki`, `100Gi`.
pub fn format_size(bytes: u64) -> String {
    let (mut shown, mut unit) = (bytes as f64, "");
    for next in ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"] {
        if shown < 1024.0 {
            break;
        }
        shown /= 1024.0;
        unit = next;
    }
    match shown < 10.0 && shown.fract() >= 0.05 {
        true => format!("{shown:.1}{unit}"),
        false => format!("{shown:.0}{unit}"),
    }
}

/// Formats usage and limit, both in bytes, as `1Gi of 5Gi`; a limit of 0 is no limit and left out.
pub fn used_of_limit(used: u64, limit: u64) -> String {
    match limit {
        0 => format_size(used),
        limit => format!("{} of {}", format_size(used), format_size(limit)),
    }
}

/// The units of ages, and their seconds.
const UNITS: [(char, u64); 5] = [('w', 604_800), ('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// Parses an age, such as `30d`, `12h` or `1d12h`, whose parts are added, to seconds.
///
/// # Errors
/// Shows the form of an age.
pub fn parse_age(text: &str) -> Result<u64, String> {
    let shape = || "an age is a number and a unit (s, m, h, d or w), such as 30d or 12h".to_owned();
    let (mut seconds, mut rest) = (0_u64, text);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(shape)?;
        let number: u64 = rest[..end].parse().map_err(|_| shape())?;
        let unit = rest[end..].chars().next().ok_or_else(shape)?;
        let (_, times) = UNITS.iter().find(|(known, _)| *known == unit).ok_or_else(shape)?;
        seconds = number
            .checked_mul(*times)
            .and_then(|more| seconds.checked_add(more))
            .ok_or_else(shape)?;
        rest = &rest[end + unit.len_utf8()..];
    }
    match text.is_empty() {
        true => Err(shape()),
        false => Ok(seconds),
    }
}

/// The seconds from `then` to `now`, both in seconds since 1970; 0 if clocks differ so that it lies ahead.
pub fn seconds_since(then: i64, now: i64) -> u64 {
    u64::try_from(now.saturating_sub(then)).unwrap_or_default()
}

/// Formats seconds as kubectl shows an age: in the largest unit of which there are at least two, rounded down, such as
/// `119s` or `2m`.
pub fn format_age(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        for (bytes, wanted) in [
            (0, "0"),
            (1023, "1023"),
            (1024, "1Ki"),
            (1536, "1.5Ki"),
            (10 << 20, "10Mi"),
            ((1 << 30) + (1 << 29), "1.5Gi"),
            (u64::MAX, "16Ei"),
        ] {
            assert_eq!(format_size(bytes), wanted);
        }
    }

    #[test]
    fn ages() {
        for (text, wanted) in [
            ("30d", 30 * 86_400),
            ("0s", 0),
            ("1d12h", 36 * 3_600),
            ("2w", 14 * 86_400),
        ] {
            assert_eq!(parse_age(text), Ok(wanted));
        }
        for bad in [
            "",
            "30",
            "d",
            "-1d",
            "1y",
            "1d2",
            "1.5d",
            "99999999999999999999d",
            "9999999999999999999w",
        ] {
            assert!(parse_age(bad).is_err(), "{bad:?} was taken");
        }
        for (seconds, wanted) in [(0, "0s"), (119, "119s"), (120, "2m"), (7_200, "2h"), (172_800, "2d")] {
            assert_eq!(format_age(seconds), wanted);
        }
    }
}
