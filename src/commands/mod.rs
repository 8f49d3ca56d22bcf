//! One file a subcommand: arguments in, a domain called, its result printed.

pub mod create;
pub mod doctor;
pub mod provision;
pub mod status;

use crate::cli::{Global, When};
use crate::cluster::Options;
use crate::output::Colour;

/// The cluster options of a command line.
fn cluster_options(global: &Global) -> Options {
    Options {
        kubeconfig: global.kubeconfig.clone(),
        context: global.context.clone(),
        namespace: global.namespace.clone(),
        request_timeout: global.request_timeout,
    }
}

/// The decision about colours that an option stands for.
pub(crate) fn colour(when: When) -> Colour {
    match when {
        When::Auto => Colour::Auto,
        When::Always => Colour::Always,
        When::Never => Colour::Never,
    }
}
