//! The catalogue (PURE): every finding with its severity, what it means, and what to do, as the checks describe it.

use std::sync::LazyLock;

use super::checks::CHECKS;
use super::entry::Entry;

/// The row of a code, which may be in lower case and without `NFS`; `None` if there is no such code.
pub fn find_entry(code: &str) -> Option<&'static Entry> {
    let code = code.to_uppercase();
    let digits = code.strip_prefix("NFS").unwrap_or(&code);
    CATALOGUE
        .iter()
        .find(|entry| entry.code.strip_prefix("NFS") == Some(digits))
}

/// All codes, in order.
pub static CATALOGUE: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let mut all: Vec<Entry> = CHECKS.iter().flat_map(|(entries, _)| *entries).copied().collect();
    all.sort_by_key(|entry| entry.code);
    all
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_found_and_in_order() {
        for written in ["NFS301", "nfs301", "301"] {
            assert_eq!(find_entry(written).map(|entry| entry.code), Some("NFS301"), "{written}");
        }
        assert!(find_entry("NFS999").is_none() && find_entry("").is_none());
        assert!(CATALOGUE.windows(2).all(|pair| pair[0].code < pair[1].code));
    }

    /// Rights, classes, names, finalizers and API servers are not among them.
    #[test]
    fn few_findings_have_an_automatic_fix() {
        let automatic = CATALOGUE.iter().filter(|entry| entry.automatic);
        let codes: Vec<&str> = automatic.map(|entry| entry.code).collect();
        assert_eq!(
            codes,
            [
                "NFS109", "NFS122", "NFS203", "NFS204", "NFS205", "NFS210", "NFS301", "NFS302", "NFS305", "NFS306",
                "NFS401", "NFS402", "NFS407", "NFS411", "NFS502", "NFS503",
            ]
        );
    }
}
