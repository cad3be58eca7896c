//! Reads `[[tenant.module]]`.

use serde_json::{Map, Number, Value};
use toml::de::{DeInteger, DeValue};

use crate::config::problem::{Findings, Place, shown};
use crate::config::section::{Placed, Section, kind};
use crate::config::{ModuleConfig, Warm};

/// None if there is no path.
pub fn read(mut section: Section<'_>) -> Option<ModuleConfig> {
    section.require("path", "\"router.wasm\"");
    let path = section.path("path");
    let config = config(&mut section);
    let choices = [("auto", Warm::Auto), ("always", Warm::Always), ("never", Warm::Never)];
    let warm = section.choice("warm", &choices).unwrap_or_default();
    section.finish();
    Some(ModuleConfig { path: path?, config, warm })
}

fn config(section: &mut Section<'_>) -> Value {
    match section.any("config") {
        None => Value::Object(Map::new()),
        Some(Placed { value, place }) if value.is_table() => json(value, &place, 0, section.findings()),
        Some(Placed { value, .. }) => {
            section.problem("config", format!("must be a table, found {}", kind(value)));
            Value::Null
        }
    }
}

/// Converts a TOML value to JSON. Values that JSON can't represent are reported and become null.
fn json(value: &DeValue<'_>, place: &Place, depth: usize, findings: &Findings) -> Value {
    /// Deepest nesting of tables and arrays. Half of what common JSON parsers accept; inline tables of dotted keys
    /// reach thousands of levels, which would overflow the stack.
    const DEEPEST: usize = 64;
    let problem = |message: String| {
        findings.add(place, message);
        Value::Null
    };
    if depth > DEEPEST {
        return problem(format!("is nested too deeply: at most {DEEPEST} tables and arrays within each other"));
    }
    let below = |value: &DeValue<'_>, place: &Place| json(value, place, depth.saturating_add(1), findings);
    match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Boolean(value) => Value::Bool(*value),
        // JSON has no type for dates and times; they become strings in RFC 3339's form.
        DeValue::Datetime(datetime) => Value::String(datetime.to_string()),
        DeValue::Integer(integer) => match to_i64(integer) {
            Some(number) => Value::from(number),
            None => problem(format!("must be an integer of 64 bits, found {}", shown(&integer.to_string()))),
        },
        DeValue::Float(float) => match float.as_str().parse().ok().and_then(Number::from_f64) {
            Some(number) => Value::Number(number),
            None => {
                problem(format!("must be a finite number, since JSON has no other, found {}", shown(float.as_str())))
            }
        },
        DeValue::Array(array) => {
            let items = array.iter().enumerate();
            items.map(|(index, item)| below(item.get_ref(), &place.item(index, item.span().start))).collect()
        }
        DeValue::Table(table) => table
            .iter()
            .map(|(key, item)| {
                let name: &str = key.get_ref();
                (name.to_owned(), below(item.get_ref(), &place.below(name, item.span().start)))
            })
            .collect::<Map<String, Value>>()
            .into(),
    }
}

fn to_i64(integer: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}
