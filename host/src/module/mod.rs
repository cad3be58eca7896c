//! A tenant's Wasm module: from a file to something that can be asked, or a message that says why not.

mod artefact;
mod build;
mod cache;
mod child;
mod digest;
mod encode;
mod error;
mod inspect;
mod load;
mod packages;
mod settings;
mod snapshot;
mod warm;
mod world;

pub use artefact::Warmth;
pub use cache::CacheError;
pub use child::{COMMAND as BUILD_COMMAND, serve_build};
pub use digest::Digest;
pub use error::{LoadError, LoadStep};
pub use inspect::{Inspection, inspect};
pub use load::{BuildIn, LARGEST_FILE, Loader, Module, read};
pub use settings::ModuleSettings;
pub use warm::{Moment, WarmUp};
