//! The command line without a cluster, the generated files, and the rules of ARCHITECTURE.md.

mod api_double;
mod architecture;
mod chart;
mod circles;
mod cli;
mod completions;
mod confinement;
mod doctor;
mod help;
mod image;
mod invalid_inputs;
mod manifests;
mod pages;
mod reports;
mod setup_config;
mod support;
mod templates;
mod terminal;
mod usage;
mod waiting;
