//! Kubernetes objects from a few values: validated, rendered from templates as YAML, applied.

pub mod apply;
mod render;
pub mod validate;
mod values;
pub mod wait;

pub use render::{Manifest, render};
pub use values::{AccessMode, Claim, ClassOnDelete, StorageClass, Values, Volume};
