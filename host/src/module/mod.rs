//! A tenant's Wasm module: from a file to something that can be asked, or a message that says why not.

mod error;
mod inspect;
mod load;
mod packages;
mod settings;
mod world;

pub use error::LoadError;
pub use inspect::{Inspection, inspect};
pub use load::{Digest, Loader, Module};
pub use settings::ModuleSettings;
