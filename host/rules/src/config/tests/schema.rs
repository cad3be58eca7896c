//! Makes `docs/schemas/pointsman.schema.json`, the JSON Schema of the configuration, out of the tables of keys in
//! `docs/configuration.md`, which other tests hold to the code.

use serde_json::{Map, Value, json};

use super::docs::{DOCS, Row, SECTIONS, in_backticks, rows};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/schemas/pointsman.schema.json");

fn schema() -> Value {
    let mut root = table();
    for (section, _) in SECTIONS {
        at(&mut root, section);
    }
    for row in rows() {
        let properties = at(&mut root, row.section);
        properties["properties"][row.key] = key(&row);
        if row.default == "required" {
            properties["required"].as_array_mut().unwrap().push(json!(row.key));
        }
    }
    root["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    root["title"] = json!("pointsman.toml");
    root
}

fn table() -> Value {
    json!({"type": "object", "additionalProperties": false, "properties": {}, "required": []})
}

/// The schema of the table that a section is, made if it is not there: `[[tenant.group]]` is in an item of `tenant`.
fn at<'s>(root: &'s mut Value, section: &str) -> &'s mut Value {
    let path: Vec<&str> = section.trim_matches(['[', ']']).split('.').collect();
    let mut schema = root;
    for (index, name) in path.iter().enumerate() {
        let header = path[..=index].join(".");
        let is_array = SECTIONS.iter().any(|(section, _)| *section == format!("[[{header}]]"));
        let property = &mut schema["properties"][*name];
        if property.is_null() {
            *property = if is_array { json!({"type": "array", "items": table()}) } else { table() };
        }
        schema = if is_array { &mut property["items"] } else { property };
    }
    schema
}

fn key(row: &Row) -> Value {
    let mut schema = value(row.value);
    schema["description"] = json!(without_links(row.meaning));
    let mut defaults = in_backticks(row.default);
    if let (Some(default), None) = (defaults.next(), defaults.next()) {
        schema["default"] = toml_value(default);
    }
    schema
}

/// A text whose links are replaced by what they show.
fn without_links(text: &str) -> String {
    let mut parts = text.split("](");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let open = out.rfind('[').unwrap();
        out.remove(open);
        out += part.split_once(')').unwrap().1;
    }
    out
}

fn value(text: &str) -> Value {
    let number = |text: &str| text.split(' ').next().unwrap().replace(',', "").parse::<i64>().unwrap();
    let integer = |range: &str| {
        let (low, high) = range.split_once(" to ").unwrap();
        json!({"type": "integer", "minimum": number(low), "maximum": number(high)})
    };
    let choices = |text: &str| Value::Array(in_backticks(text).map(toml_value).collect());
    if let Some(range) = text.strip_prefix("integer, ") {
        return integer(range);
    }
    if let Some(range) = text.strip_prefix("array of integers, ") {
        return json!({"type": "array", "items": integer(range)});
    }
    if let Some(items) = text.strip_prefix("array of `") {
        return json!({"type": "array", "items": {"enum": choices(&format!("`{items}"))}});
    }
    match text {
        "boolean" => json!({"type": "boolean"}),
        "table" => json!({"type": "object"}),
        "string: 1 to 64 letters, digits, `-`, `_`, `.`" => {
            json!({"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$"})
        }
        "`\"off\"`, `\"stdout\"`, `{ file = \"access.log\" }`" => {
            let mut file = table();
            file["properties"]["file"] = json!({"type": "string"});
            file["required"] = json!(["file"]);
            json!({"anyOf": [{"enum": ["off", "stdout"]}, file]})
        }
        text if text.starts_with('`') => json!({"enum": choices(text)}),
        text if text.starts_with("array of strings") => {
            let least = u8::from(text.ends_with(", one or more"));
            json!({"type": "array", "items": {"type": "string"}, "minItems": least})
        }
        text if text.starts_with("string") || text == "path" => json!({"type": "string"}),
        text => panic!("no schema for the value `{text}`"),
    }
}

/// A value of the documentation, which is written in TOML.
fn toml_value(text: &str) -> Value {
    let table: Map<String, Value> = toml::from_str(&format!("value = {text}")).unwrap();
    table["value"].clone()
}

/// Whether a schema of this file allows a value; it uses a small part of JSON Schema.
fn allows(schema: &Value, value: &Value) -> Result<(), String> {
    let refuse = |reason: &str| Err(format!("{value}: {reason}"));
    if let Some(any) = schema["anyOf"].as_array() {
        return any.iter().map(|schema| allows(schema, value)).find(Result::is_ok).unwrap_or_else(|| refuse("none"));
    }
    if let Some(choices) = schema["enum"].as_array() {
        return if choices.contains(value) { Ok(()) } else { refuse("not a choice") };
    }
    match (schema["type"].as_str(), value) {
        (Some("object"), Value::Object(table)) if schema["properties"].is_object() => {
            for name in schema["required"].as_array().unwrap() {
                table.get(name.as_str().unwrap()).ok_or_else(|| format!("{value}: {name} is missing"))?;
            }
            table.iter().try_for_each(|(name, value)| allows(&schema["properties"][name], value))
        }
        (Some("object"), Value::Object(_)) | (Some("string"), Value::String(_)) | (Some("boolean"), Value::Bool(_)) => {
            Ok(())
        }
        (Some("array"), Value::Array(items)) => {
            if schema["minItems"] == 1 && items.is_empty() {
                return refuse("empty");
            }
            items.iter().try_for_each(|item| allows(&schema["items"], item))
        }
        (Some("integer"), Value::Number(_)) => {
            let within = value.as_i64() >= schema["minimum"].as_i64() && value.as_i64() <= schema["maximum"].as_i64();
            if within { Ok(()) } else { refuse("out of range") }
        }
        (None, _) => refuse("unknown key"),
        _ => refuse("another type"),
    }
}

fn example() -> Value {
    let (_, example) = DOCS.split_once("```toml\n").unwrap();
    toml::from_str(example.split_once("```").unwrap().0).unwrap()
}

#[test]
fn schema_is_the_one_in_the_docs() {
    let schema = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(FILE, &schema).unwrap();
    }
    assert!(
        std::fs::read_to_string(FILE).is_ok_and(|there| there == schema),
        "docs/schemas/pointsman.schema.json is out of date: `UPDATE_DOCS=1 cargo test -p pointsman-rules schema` writes it"
    );
}

#[test]
fn schema_allows_the_documented_example_and_no_other_keys() {
    let (schema, example) = (schema(), example());
    allows(&schema, &example).unwrap();
    for (pointer, wrong) in [
        ("/proxy/threads", json!(0)),
        ("/proxy/watch", json!("yes")),
        ("/log/level", json!("loud")),
        ("/listener/0/name", json!(1)),
        ("/tenant/0/grants/ports", json!([70_000])),
        ("/tenant/0/hostnames", json!([])),
    ] {
        let mut example = example.clone();
        *example.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = wrong;
        assert!(allows(&schema, &example).is_err(), "{pointer}");
    }
    let mut example = example;
    example["tenant"][0]["release"]["stages"] = json!(1);
    assert_eq!(allows(&schema, &example), Err("1: unknown key".to_owned()));
}
