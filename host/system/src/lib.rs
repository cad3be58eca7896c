//! What the operating system has, allows and reports: files, memory, local ports, threads.

#![forbid(unsafe_code)]
// Nothing that a file or the system says may panic the process.
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice)]
#![warn(clippy::unreachable, clippy::as_conversions)]

pub mod file_access;
pub mod in_parallel;
pub mod local_ports;
pub mod memory;
pub mod permits;
pub mod read_file;
