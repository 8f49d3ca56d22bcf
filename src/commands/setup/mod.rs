//! `nfsprov setup-server`, `setup-client` and `teardown-server`: hosts over SSH, all at once.

mod client;
mod clients;
mod config;
mod decision;
mod hosts;
mod proof;
mod server;
mod teardown;

pub use client::run as client;
pub use server::run as server;
pub use teardown::run as teardown;
