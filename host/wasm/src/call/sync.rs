//! The locks and counters of the instance pool. Its model test (`host/wasm/tests/pool_model.rs`) puts those of loom in
//! their place.

pub use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
pub use std::sync::{Arc, Weak};

pub use parking_lot::Mutex;
