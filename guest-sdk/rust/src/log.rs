//! The tenant's log.
//!
//! A line takes anything that can be shown: `log::info("cart")`, `log::info(format_args!("{n} left"))`. In a native
//! test the lines are kept for [`testing::log_lines`](crate::testing::log_lines).

use std::fmt::Display;

pub use crate::bindings::pointsman::router::log::Level;

/// Writes a line at level `trace`.
pub fn trace(message: impl Display) {
    write(Level::Trace, message);
}

/// Writes a line at level `debug`.
pub fn debug(message: impl Display) {
    write(Level::Debug, message);
}

/// Writes a line at level `info`.
pub fn info(message: impl Display) {
    write(Level::Info, message);
}

/// Writes a line at level `warn`.
pub fn warn(message: impl Display) {
    write(Level::Warn, message);
}

/// Writes a line at level `error`.
pub fn error(message: impl Display) {
    write(Level::Error, message);
}

/// Writes a line. Beyond the tenant's `limits.log_bytes` a decision's lines are cut.
pub fn write(level: Level, message: impl Display) {
    let message = message.to_string();
    #[cfg(target_family = "wasm")]
    crate::bindings::pointsman::router::log::log(level, &message);
    #[cfg(not(target_family = "wasm"))]
    crate::testing::log(level, message);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn each_line_is_recorded_once_with_its_level() {
        let _ = testing::log_lines();
        info("cart");
        warn(format_args!("{} left", 3));
        assert_eq!(testing::log_lines(), [(Level::Info, "cart".to_owned()), (Level::Warn, "3 left".to_owned())]);
        assert_eq!(testing::log_lines(), []);
    }
}
