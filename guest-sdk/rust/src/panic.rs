//! Panics in the tenant's log: without a hook, the host sees a trap that has neither text nor place.

#[cfg(any(test, target_family = "wasm"))]
use std::panic::Location;

/// Logs every panic of this instance, as one line at level `error`. `router!` calls it before anything of the author's
/// runs. Natively it does nothing, since the test runner shows panics.
pub fn log_panics() {
    #[cfg(target_family = "wasm")]
    {
        use crate::bindings::pointsman::router::log::{Level, log};

        // Setting it again costs less than asking whether it is set.
        std::panic::set_hook(Box::new(|panic| log(Level::Error, &line(panic.location(), panic.payload_as_str()))));
    }
}

/// As the standard library words it, but in one line: the log escapes line ends. Put together by hand: `format!` makes
/// every module a kilobyte larger.
#[cfg(any(test, target_family = "wasm"))]
fn line(location: Option<&Location>, message: Option<&str>) -> String {
    let mut line = String::from("panicked");
    if let Some(location) = location {
        line.push_str(" at ");
        line.push_str(location.file());
        for number in [location.line(), location.column()] {
            line.push(':');
            push_number(&mut line, number);
        }
    }
    line.push_str(": ");
    line.push_str(message.unwrap_or("the panic's value is not a text"));
    line
}

#[cfg(any(test, target_family = "wasm"))]
fn push_number(line: &mut String, number: u32) {
    if number > 9 {
        push_number(line, number / 10);
    }
    line.push(char::from(b'0' + (number % 10) as u8));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_line_with_place_and_text() {
        let here = Location::caller();
        let expected = format!("panicked at {}:{}:{}: the table is empty", file!(), here.line(), here.column());
        assert_eq!(line(Some(here), Some("the table is empty")), expected);
        assert_eq!(line(None, None), "panicked: the panic's value is not a text");
    }

    #[test]
    fn numbers_are_decimal() {
        for number in [0, 9, 10, 105, u32::MAX] {
            let mut line = String::new();
            push_number(&mut line, number);
            assert_eq!(line, number.to_string());
        }
    }
}
