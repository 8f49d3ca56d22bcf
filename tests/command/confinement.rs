//! Whatever a class and a claim contain, nothing outside the export changes; `make fuzz` tries more inputs.

#[path = "../../fuzz/check.rs"]
mod check;

use check::{GuardedExport, Words};
use proptest::prelude::*;

proptest! {
    #[test]
    fn nothing_outside_the_export_is_ever_touched(
        pattern in "(\\PC{0,4}|/|\\.\\./|link/|up/|here/|\\$\\{\\.PVC\\.(name|namespace|labels\\.a|annotations\\.b/c|x)\\}/?){0,6}",
        namespace in "(team|link|up|\\.\\.|[a-z.-]{1,8})",
        name in "(data|precious|\\.|[a-z.-]{1,8})",
        label in "(|link|up|[a-zA-Z0-9._-]{0,8})",
        annotation in "(\\PC|/|\\.\\./|\0|\n|link/|precious){0,8}",
    ) {
        thread_local! {
            static GUARDED: GuardedExport = GuardedExport::new().unwrap();
        }
        let words = Words { pattern: &pattern, namespace: &namespace, name: &name, label: &label, annotation: &annotation };
        GUARDED.with(|guarded| guarded.check_claim(&words));
    }
}

/// Shows that the check can fail: the test itself changes a file outside the export.
#[test]
#[should_panic(expected = "changed what is outside the export")]
fn the_check_sees_what_is_changed_outside() {
    let guarded = GuardedExport::new().unwrap();
    guarded.check_claim_while(
        &Words {
            pattern: "a",
            namespace: "n",
            name: "c",
            label: "",
            annotation: "",
        },
        || guarded.spoil(),
    );
}
