//! What there is.

pub mod amount;
