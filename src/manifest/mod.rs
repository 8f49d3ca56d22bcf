//! Kubernetes objects from a few values: validated and rendered from templates as YAML. The main types are
//! [`Values`] and [`Manifest`]. Nothing here prompts or prints.

pub mod files;
pub mod handover;
mod render;
pub mod strict;
pub mod templates;
pub mod validate;
mod values;

pub(crate) use render::read_yaml;
pub use render::{Document, Manifest, render_manifest};
pub use values::{
    AccessMode, Claim, ClassOnDelete, Flavor, Pod, Provisioner, StatefulSet, StorageClass, Values, Volume,
};
