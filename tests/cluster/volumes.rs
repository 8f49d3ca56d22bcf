//! The directories of an export against the PVs: `volumes`.

crate::tests! {}
