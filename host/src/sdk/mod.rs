//! The SDKs, embedded in the program so that it can create and build a project on its own. Each contains the WIT
//! package, which each project gets a copy of.

mod copy;
mod editor;
mod files;
mod language;
mod record;

pub use copy::{Age, Copy, KEPT, Update};
pub use editor::editor_files;
pub use files::{write_sdk, write_template};
pub use language::Language;
pub use record::VERSION;
