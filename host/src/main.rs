//! The binary: parses the arguments, runs the command and exits. The commands are in `pointsman::cli`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use pointsman::cli::Cli;

/// A request allocates and frees about a hundred small blocks of memory: mimalloc is chosen for them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    Cli::parse().run()
}
