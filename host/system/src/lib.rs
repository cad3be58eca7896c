//! The operating system's resources, limits and reports: files, memory, local ports, threads.

#![forbid(unsafe_code)]
// No input from a file or the system may make the process panic.
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice)]
#![warn(clippy::unreachable, clippy::as_conversions)]

pub mod file_access;
pub mod in_parallel;
pub mod local_ports;
pub mod memory;
pub mod permits;
pub mod read_file;
