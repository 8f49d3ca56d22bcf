//! One file a subcommand: arguments in, a domain called, its result printed.

pub mod create;
pub mod provision;
pub mod status;

use crate::cli::Global;
use crate::cluster::Options;

/// The cluster options of a command line.
fn cluster_options(global: &Global) -> Options {
    Options {
        kubeconfig: global.kubeconfig.clone(),
        context: global.context.clone(),
        namespace: global.namespace.clone(),
        request_timeout: global.request_timeout,
    }
}
