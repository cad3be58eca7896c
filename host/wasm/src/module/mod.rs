//! Loads a tenant's Wasm module: from a file to a module that can decide, or to an error that says why not.

mod artefact;
mod build;
mod cache;
mod child;
mod digest;
mod embed;
mod encode;
mod error;
mod inspect;
mod lines;
mod linking;
mod load;
mod needs;
mod packages;
mod packed;
mod sections;
mod snapshot;
mod start;
mod vma_limit;
mod warm;
mod world;

pub use artefact::{Rewinding, Warmth};
pub use child::serve_build;
pub use digest::Digest;
pub use embed::{Symbols, componentize};
pub use error::{LoadError, LoadStep};
pub use inspect::{Inspection, inspect, inspect_bytes};
pub use lines::add_line_table;
pub use load::{BuildIn, LARGEST_FILE, Loader, Module, read};
pub use needs::Needs;
pub use sections::Sections;
pub use warm::{Moment, WarmUp};

pub use pointsman_native::artefacts::{COMMAND as BUILD_COMMAND, FolderError, OwnFolder};
