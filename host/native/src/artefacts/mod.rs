//! Machine code of modules that Wasmtime runs as it is. It trusts what it once serialized, so the types here say where
//! code came from: [`CompiledCode`] from this program, [`SealedFile`] from a file that only this user can write.

mod child;
mod code;
mod folder;

pub use child::{COMMAND, ChildEnd, build_in_child, report_built};
pub use code::CompiledCode;
pub use folder::{FolderError, OwnFolder, SealedFile};
