//! The binary: parses arguments and exits. What the commands do is in `pointsman::cli`.

use std::process::ExitCode;

use clap::Parser;
use pointsman::cli::Cli;

/// A request makes and drops some hundred small pieces of memory: docs/performance.md says what this gives.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    Cli::parse().run()
}
