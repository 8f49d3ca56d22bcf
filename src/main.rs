//! The `nfsprov` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(nfsprov::run() as u8)
}
