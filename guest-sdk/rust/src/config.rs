//! The module's configuration: its `config` table.
//!
//! A value is named by a JSON Pointer (RFC 6901): `/percent`, `/upstreams/0/address`. A value of the wrong type is
//! always an error, never treated as a missing one. Errors name the value, so that `?` is enough.
//!
//! In a native test, [`testing::config`](crate::testing::config) sets it.

use std::fmt::Display;
use std::str::FromStr;

use crate::Error;

#[cfg(target_family = "wasm")]
use crate::bindings::pointsman::router::config as table;
#[cfg(not(target_family = "wasm"))]
use crate::testing::table;

/// The whole table as a JSON object.
pub fn json() -> String {
    table::json()
}

/// One value, as JSON. None if it is absent.
pub fn get(pointer: &str) -> Option<String> {
    table::get(pointer)
}

/// A text.
pub fn text(pointer: &str) -> Result<String, Error> {
    optional_text(pointer)?.ok_or_else(|| missing(pointer))
}

/// A text, or this one if the operator gave none.
pub fn text_or(pointer: &str, default: impl Into<String>) -> Result<String, Error> {
    Ok(optional_text(pointer)?.unwrap_or_else(|| default.into()))
}

/// A list of texts.
pub fn texts(pointer: &str) -> Result<Vec<String>, Error> {
    let list = table::get(pointer).ok_or_else(|| missing(pointer))?;
    if !list.starts_with('[') {
        return Err(wrong(pointer, list, "a list"));
    }
    let mut texts = Vec::new();
    while let Some(text) = optional_text(&format!("{pointer}/{}", texts.len()))? {
        texts.push(text);
    }
    Ok(texts)
}

/// A number of any of Rust's types: `config::number::<u16>("/port")`.
pub fn number<N: FromStr<Err: Display>>(pointer: &str) -> Result<N, Error> {
    optional_number(pointer)?.ok_or_else(|| missing(pointer))
}

/// A number, or this one if the operator gave none.
pub fn number_or<N: FromStr<Err: Display>>(pointer: &str, default: N) -> Result<N, Error> {
    Ok(optional_number(pointer)?.unwrap_or(default))
}

/// `true` or `false`, the latter also if the operator gave neither.
pub fn flag(pointer: &str) -> Result<bool, Error> {
    match table::get(pointer).as_deref() {
        Some("true") => Ok(true),
        Some("false") | None => Ok(false),
        Some(other) => Err(wrong(pointer, other, "true or false")),
    }
}

/// The whole table as a type of your own. An error names the value by its JSON Pointer.
///
/// ```
/// use pointsman_guest::config;
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Shop {
///     address: String,
///     percent: f64,
/// }
///
/// # pointsman_guest::testing::config(r#"{"address": "127.0.0.1:9101", "percent": 2.5}"#);
/// let shop: Shop = config::parse()?;
/// # assert_eq!((shop.address.as_str(), shop.percent), ("127.0.0.1:9101", 2.5));
/// # Ok::<(), pointsman_guest::Error>(())
/// ```
#[cfg(feature = "serde")]
pub fn parse<T: serde::de::DeserializeOwned>() -> Result<T, Error> {
    let json = json();
    serde_json::from_str(&json).map_err(|error| unreadable(&json, &error))
}

/// An error of `serde_json`, with a pointer in place of line and column.
#[cfg(feature = "serde")]
fn unreadable(json: &str, error: &serde_json::Error) -> Error {
    use crate::pointer;

    let (line, column) = (error.line(), error.column());
    let before: usize = json.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let place = pointer::at(json, before + column);
    let message = error.to_string();
    let message = message.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&message);
    match message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        Some(field) => missing(&format!("{place}/{}", pointer::escaped(field))),
        None if place.is_empty() => Error::new(format_args!("config: {message}")),
        None => Error::new(format_args!("config: `{place}`: {message}")),
    }
}

fn optional_text(pointer: &str) -> Result<Option<String>, Error> {
    match table::get_text(pointer) {
        Some(text) => Ok(Some(text)),
        None => match table::get(pointer) {
            Some(other) => Err(wrong(pointer, other, "a text")),
            None => Ok(None),
        },
    }
}

fn optional_number<N: FromStr<Err: Display>>(pointer: &str) -> Result<Option<N>, Error> {
    let Some(number) = table::get(pointer) else {
        return Ok(None);
    };
    // JSON writes a number as Rust reads it. A text keeps its quotes and is none.
    match number.parse() {
        Ok(number) => Ok(Some(number)),
        Err(error) => Err(Error::new(format_args!("config: `{pointer}` is `{number}`: {error}"))),
    }
}

fn missing(pointer: &str) -> Error {
    Error::new(format_args!("config: `{pointer}` is missing"))
}

fn wrong(pointer: &str, value: impl Display, expected: &str) -> Error {
    Error::new(format_args!("config: `{pointer}` is `{value}`, not {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn fails<T: std::fmt::Debug>(result: Result<T, Error>, message: &str) {
        assert_eq!(result.unwrap_err().to_string(), message);
    }

    #[test]
    fn values_are_found_by_their_pointer() {
        testing::config(
            r#"{"name": "shop", "on": true, "ports": [80, 81], "upstreams": ["a:1", "b:2"], "share": 2.5}"#,
        );
        assert_eq!(text("/name").unwrap(), "shop");
        assert_eq!(texts("/upstreams").unwrap(), ["a:1", "b:2"]);
        assert_eq!(number::<u16>("/ports/1").unwrap(), 81);
        assert_eq!(number::<f64>("/share").unwrap(), 2.5);
        assert!(flag("/on").unwrap());
        assert_eq!(get("/ports").as_deref(), Some("[80,81]"));
    }

    #[test]
    fn defaults_replace_absent_values() {
        testing::config("{}");
        assert_eq!(json(), "{}");
        assert_eq!(text_or("/name", "shop").unwrap(), "shop");
        assert_eq!(number_or("/percent", 10).unwrap(), 10);
        assert!(!flag("/on").unwrap());
        assert_eq!(get("/name"), None);
    }

    #[test]
    fn a_missing_value_is_named() {
        testing::config("{}");
        fails(text("/name"), "config: `/name` is missing");
        fails(texts("/names"), "config: `/names` is missing");
        fails(number::<u16>("/port"), "config: `/port` is missing");
    }

    #[test]
    fn a_value_of_the_wrong_type_is_an_error_even_with_a_default() {
        testing::config(r#"{"text": "80", "number": 80.5, "list": ["a", 1]}"#);
        fails(text_or("/number", ""), "config: `/number` is `80.5`, not a text");
        fails(texts("/text"), "config: `/text` is `\"80\"`, not a list");
        fails(texts("/list"), "config: `/list/1` is `1`, not a text");
        fails(number_or("/text", 1), "config: `/text` is `\"80\"`: invalid digit found in string");
        fails(number_or("/number", 1_u16), "config: `/number` is `80.5`: invalid digit found in string");
        fails(flag("/text"), "config: `/text` is `\"80\"`, not true or false");
    }

    #[cfg(feature = "serde")]
    #[test]
    fn the_table_is_read_as_a_type() {
        testing::config(r#"{"a": 1}"#);
        assert_eq!(parse::<std::collections::BTreeMap<String, u8>>().unwrap()["a"], 1);
        fails(parse::<Vec<u8>>(), "config: invalid type: map, expected a sequence");
    }

    #[cfg(feature = "serde")]
    #[test]
    fn what_is_wrong_in_the_table_is_named_by_its_pointer() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code, reason = "only its errors are looked at")]
        struct Shop {
            sites: Vec<Site>,
        }

        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code, reason = "only its errors are looked at")]
        struct Site {
            address: String,
            weight: Option<u8>,
        }

        for (json, message) in [
            ("{}", "config: `/sites` is missing"),
            (r#"{"sites": [{"address": "a:1"}, {}]}"#, "config: `/sites/1/address` is missing"),
            (
                r#"{"sites": [{"address": 7}]}"#,
                "config: `/sites/0/address`: invalid type: integer `7`, expected a string",
            ),
            (
                r#"{"sites": [{"address": ["a"]}]}"#,
                "config: `/sites/0/address`: invalid type: sequence, expected a string",
            ),
            (
                r#"{"sites": [{"address": "a:1", "weight": "2"}]}"#,
                "config: `/sites/0/weight`: invalid type: string \"2\", expected u8",
            ),
            (
                r#"{"sites": [{"address": "a:1", "weight": 256}]}"#,
                "config: `/sites/0/weight`: invalid value: integer `256`, expected u8",
            ),
            (r#"{"sites": ["a:1"]}"#, "config: `/sites/0`: invalid type: string \"a:1\", expected struct Site"),
            (
                r#"{"sites": [{"adress": "a:1"}]}"#,
                "config: `/sites/0/adress`: unknown field `adress`, expected `address` or `weight`",
            ),
        ] {
            testing::config(json);
            fails(parse::<Shop>(), message);
        }
    }
}
