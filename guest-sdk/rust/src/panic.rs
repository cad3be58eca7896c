//! Panics in the tenant's log: without a hook, the host sees a trap that has neither text nor place.

#[cfg(any(test, target_family = "wasm"))]
use std::panic::Location;

/// Logs every panic of this instance, as one line at level `error`. `router!` calls it before anything of the author's
/// runs. Natively it does nothing, since the test runner shows panics.
pub fn log_panics() {
    #[cfg(target_family = "wasm")]
    {
        use std::sync::Once;

        static INSTALLED: Once = Once::new();
        INSTALLED.call_once(|| {
            std::panic::set_hook(Box::new(|panic| crate::log::error(line(panic.location(), panic.payload_as_str()))));
        });
    }
}

/// As the standard library words it, but in one line: the log escapes line ends.
#[cfg(any(test, target_family = "wasm"))]
fn line(location: Option<&Location>, message: Option<&str>) -> String {
    let message = message.unwrap_or("the panic's value is not a text");
    match location {
        Some(location) => format!("panicked at {location}: {message}"),
        None => format!("panicked: {message}"),
    }
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
}
