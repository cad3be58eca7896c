//! Checks `docs/configuration.md` against the code: tries its keys, defaults, ranges and choices on the reader.
//!
//! A table of keys has the header `| key | value | default | meaning |` and belongs to the section that the heading
//! above it names.

use std::collections::BTreeSet;
use std::path::Path;

use super::*;
use crate::limit_key::{LimitKey, LimitTable};

pub const DOCS: &str = include_str!("../../../../../docs/configuration.md");

/// Every section with the minimum: only the keys that it requires.
pub const SECTIONS: [(&str, &str); 23] = [
    ("[proxy]", ""),
    ("[log]", ""),
    ("[resolver]", ""),
    ("[admin]", "address = \"127.0.0.1:0\"\n"),
    ("[[listener]]", "name = \"web\"\naddress = \"127.0.0.1:0\"\n"),
    ("[listener.forwarded]", ""),
    ("[listener.tls]", "certificate = \"server.pem\"\nkey = \"server.key\"\n"),
    ("[[ca]]", "name = \"roots\"\nfile = \"roots.pem\"\n"),
    ("[[client_cert]]", "name = \"ours\"\ncertificate = \"ours.pem\"\nkey = \"ours.key\"\n"),
    ("[[tenant]]", "name = \"shop\"\nhostnames = [\"*\"]\n"),
    ("[[tenant.module]]", "path = \"router.wasm\"\n"),
    ("[tenant.limits]", ""),
    ("[tenant.upstream]", ""),
    ("[tenant.upstream.tcp_keepalive]", "idle_s = 60\ninterval_s = 5\ncount = 3\n"),
    ("[tenant.quota]", ""),
    ("[tenant.breaker]", ""),
    ("[tenant.release]", ""),
    ("[tenant.failure]", ""),
    ("[tenant.failure.peer]", "address = \"203.0.113.7:80\"\n"),
    ("[[tenant.failure.module]]", "path = \"router.wasm\"\n"),
    ("[[tenant.group]]", "name = \"backends\"\naddresses = [\"203.0.113.7:80\"]\n"),
    ("[tenant.group.health_check]", ""),
    ("[tenant.grants]", ""),
];

/// A row of a table of keys.
pub struct Row {
    pub section: &'static str,
    pub key: &'static str,
    pub value: &'static str,
    pub default: &'static str,
    pub meaning: &'static str,
}

pub fn rows() -> Vec<Row> {
    let (mut section, mut of_keys, mut rows) = ("", false, Vec::new());
    for line in DOCS.lines() {
        if line.starts_with('#') {
            section = in_backticks(line).next().unwrap_or_default();
        }
        if !line.starts_with('|') {
            of_keys = false;
        } else if line == "| key | value | default | meaning |" {
            of_keys = true;
        } else if of_keys && !line.starts_with("|---") {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [key, value, default, meaning] = cells[..] else { panic!("{line}") };
            rows.push(Row { section, key: key.trim_matches('`'), value, default, meaning });
        }
    }
    rows
}

pub fn in_backticks(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The minimal file with `line` in this section, in place of the key's required line if there is one.
fn file(section: &str, key: &str, line: &str) -> String {
    let mut text = String::new();
    for (header, required) in SECTIONS {
        // A listener's own keys are tried on a listener without TLS.
        if header == "[listener.tls]" && section == "[[listener]]" {
            continue;
        }
        text.push_str(&format!("{header}\n"));
        let here = header == section;
        for required in required.lines().filter(|required| !here || !required.starts_with(&format!("{key} ="))) {
            text.push_str(&format!("{required}\n"));
        }
        if here {
            text.push_str(&format!("{line}\n"));
        }
    }
    text
}

fn with(row: &Row, value: &str) -> String {
    file(row.section, row.key, &format!("{} = {value}", row.key))
}

#[track_caller]
fn good(text: &str) -> Config {
    parse(text, Path::new("pointsman.toml")).unwrap_or_else(|errors| panic!("{errors}\nfor\n{text}"))
}

#[test]
fn documented_keys_are_the_known_ones() {
    let rows = rows();
    for (section, _) in SECTIONS {
        let complaint = complaints(&file(section, "", "zzzzzzzzzzzzzzzz = 1"));
        let known = complaint.split_once("unknown key; known here: ").unwrap_or_else(|| panic!("{section}")).1;
        // Tables within the section have their own heading.
        let path = section.trim_matches(['[', ']']);
        let is_table =
            |key: &&str| SECTIONS.iter().any(|(other, _)| other.trim_matches(['[', ']']) == format!("{path}.{key}"));
        let mut known: Vec<&str> = known.split(", ").filter(|key| !is_table(key)).collect();
        let mut documented: Vec<&str> = rows.iter().filter(|row| row.section == section).map(|row| row.key).collect();
        known.sort_unstable();
        documented.sort_unstable();
        assert_eq!(documented, known, "{section}");
    }
    assert!(rows.iter().all(|row| SECTIONS.iter().any(|(section, _)| *section == row.section)));
}

/// So each of them has a label in metrics.
#[test]
fn documented_bounds_of_a_tenant_are_the_limit_keys() {
    for table in [LimitTable::Limits, LimitTable::Quota] {
        let section = format!("[tenant.{}]", table.name());
        let documented: BTreeSet<&str> =
            rows().into_iter().filter(|row| row.section == section).map(|row| row.key).collect();
        let keys = LimitKey::ALL.iter().filter(|key| key.table() == table).map(|key| key.name());
        assert_eq!(documented, keys.collect::<BTreeSet<_>>(), "{section}");
    }
}

#[test]
fn documented_defaults_are_the_real_ones() {
    let (mut count, mut by_class) = (0, 0);
    for row in rows() {
        let without = file(row.section, row.key, "");
        if row.default == "required" {
            assert!(complaints(&without).contains("is missing: "), "{} {}", row.section, row.key);
            continue;
        }
        let mut defaults = in_backticks(row.default);
        let Some(default) = defaults.next() else { continue };
        count += 1;
        match defaults.next() {
            None => assert_eq!(good(&with(&row, default)), good(&without), "{} {}", row.section, row.key),
            Some(of_runtime) => {
                by_class += 1;
                for (class, default) in [(Class::Small, default), (Class::Runtime, of_runtime)] {
                    let limits = |text: &str| good(text).tenants[0].limits.of(class).clone();
                    assert_eq!(limits(&with(&row, default)), limits(&without), "{} of {class:?}", row.key);
                }
            }
        }
    }
    assert_eq!((count, by_class), (91, 6), "defaults that are written as values, and those of two classes");
}

#[test]
fn documented_ranges_are_the_real_ones() {
    let mut count = 0;
    for row in rows() {
        let Some(range) = row.value.strip_prefix("integer, ") else { continue };
        let (low, high) = range.split_once(" to ").unwrap();
        let bound = |text: &str| text.split(' ').next().unwrap().replace(',', "").parse::<i64>().unwrap();
        let (low, high) = (bound(low), bound(high));
        // Both ends give different configurations, so the reader uses the value and does not just check it.
        assert_ne!(good(&with(&row, &low.to_string())), good(&with(&row, &high.to_string())), "{}", row.key);
        for outside in [low - 1, high + 1] {
            let complaint = complaints(&with(&row, &outside.to_string()));
            assert!(complaint.contains(&format!(": must be from {low} to {high}")), "{}: {complaint}", row.key);
        }
        count += 1;
    }
    assert_eq!(count, 77, "rows with a range");
}

#[test]
fn documented_choices_are_the_real_ones() {
    let mut count = 0;
    for row in rows() {
        let choices: Vec<String> = match row.value {
            "boolean" => vec!["true".to_owned(), "false".to_owned()],
            value if value.starts_with('`') => in_backticks(value).map(str::to_owned).collect(),
            value if value.starts_with("array of `") => {
                in_backticks(value).map(|choice| format!("[{choice}]")).collect()
            }
            _ => continue,
        };
        let configs: Vec<Config> = choices.iter().map(|choice| good(&with(&row, choice))).collect();
        for (index, config) in configs.iter().enumerate() {
            assert!(!configs[..index].contains(config), "{}: two choices mean the same", row.key);
        }
        count += 1;
    }
    assert_eq!(count, 16, "rows with choices");
}

#[test]
fn documented_example_is_good_and_has_every_key() {
    let (_, example) = DOCS.split_once("```toml\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    good(example);
    for row in rows() {
        assert!(example.lines().any(|line| line.starts_with(&format!("{} = ", row.key))), "{}", row.key);
    }
}
