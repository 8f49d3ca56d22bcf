//! One file a subcommand: arguments in, a domain called, its result printed.

pub mod create;
pub mod provision;
pub mod release;
pub mod status;
pub mod volumes;

use serde_json::Value;

use crate::cli::{Format, Global, Via, When};
use crate::cluster::Options;
use crate::export::{Export, Location, Mounted, Wire};
use crate::output::{self, Colour};

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

/// The way to an export that `--via` says.
fn way(via: &Via, location: Location) -> Export {
    match via {
        Via::Nfs => Export::Wire(Wire::new(location)),
        Via::Dir(root) => Export::Mounted(Mounted::new(location, root)),
    }
}

/// A result in one of the formats for machines; None for tables and names, which are each command's own.
fn for_machines(format: Format, value: &Value) -> Option<String> {
    match format {
        Format::Json => Some(output::json(value)),
        Format::Yaml => Some(output::yaml(value)),
        Format::Table | Format::Wide | Format::Name => None,
    }
}
