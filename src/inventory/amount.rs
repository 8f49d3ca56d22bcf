//! Sizes and ages as people write them (PURE).

pub use crate::cluster::quantity::bytes;

/// Bytes as a quantity of at most four digits: `512`, `1.5Ki`, `100Gi`.
pub fn size(bytes: u64) -> String {
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

/// What is used of a limit, both in bytes; a limit of 0 is none.
pub fn used_of_limit(used: u64, limit: u64) -> String {
    match limit {
        0 => size(used),
        limit => format!("{} of {}", size(used), size(limit)),
    }
}

/// The units of ages, and their seconds.
const UNITS: [(char, u64); 5] = [('w', 604_800), ('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// The seconds of an age: `30d`, `12h`, `1d12h`.
///
/// # Errors
/// What an age looks like.
pub fn age(text: &str) -> Result<u64, String> {
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

/// Seconds as kubectl shows an age: in one unit, with at least two of it.
pub fn ago(seconds: u64) -> String {
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
            assert_eq!(size(bytes), wanted);
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
            assert_eq!(age(text), Ok(wanted));
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
            assert!(age(bad).is_err(), "{bad:?} was taken");
        }
        for (seconds, wanted) in [(0, "0s"), (119, "119s"), (120, "2m"), (7_200, "2h"), (172_800, "2d")] {
            assert_eq!(ago(seconds), wanted);
        }
    }
}
