//! Parses versions of Kubernetes (PURE).

/// The minor version: 20 of `1.20`, `v1.20.2` and `v1.20.2+k3s1`. Other major versions are an error.
pub fn parse_minor_version(text: &str) -> Result<u32, String> {
    let minor = text.trim_start_matches('v').strip_prefix("1.").and_then(|rest| {
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        let is_whole = matches!(rest[digits.len()..].chars().next(), None | Some('.' | '+' | '-'));
        digits.parse().ok().filter(|_| is_whole)
    });
    minor.ok_or_else(|| "a version of Kubernetes has the form 1.20 or v1.20.2".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_api_servers_write_them() {
        for (text, minor) in [
            ("1.20", 20),
            ("v1.20.2", 20),
            ("1.22.0-rc.1", 22),
            ("v1.30.4+k3s1", 30),
            ("v1.27-eks-1", 27),
        ] {
            assert_eq!(parse_minor_version(text), Ok(minor), "{text}");
        }
        for bad in ["", "1", "1.", "20", "v2.20", "1.x", "1.20x"] {
            assert!(parse_minor_version(bad).is_err(), "{bad:?} was taken");
        }
    }
}
