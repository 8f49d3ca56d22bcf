//! Words from libFuzzer, one a line: pattern, namespace, name, label, annotation.

#![no_main]

#[path = "../check.rs"]
mod check;

use libfuzzer_sys::fuzz_target;

use check::{GuardedExport, Words};

thread_local! {
    static GUARDED: GuardedExport = GuardedExport::new().expect("a folder of one's own");
}

fuzz_target!(|text: &str| {
    let mut lines = text.splitn(5, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let words = Words {
        pattern: line(),
        namespace: line(),
        name: line(),
        label: line(),
        annotation: line(),
    };
    GUARDED.with(|guarded| guarded.check_claim(&words));
});
