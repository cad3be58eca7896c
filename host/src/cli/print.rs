//! Prints results to standard output.

use std::fmt::Display;
use std::io::{ErrorKind, Write as _};

/// Prints a text and the end of a line. If that is not possible the program ends: quietly if its reader has gone, as in
/// `pointsman decide ... | head`, and else with the reason.
pub fn line(text: impl Display) {
    let Err(error) = writeln!(std::io::stdout().lock(), "{text}") else { return };
    if error.kind() != ErrorKind::BrokenPipe {
        eprintln!("error: cannot write to standard output: {error}");
    }
    std::process::exit(1)
}
