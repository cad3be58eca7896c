//! A typed reader over one TOML table. It reads keys by type and range, collects problems instead of stopping at the
//! first, and at its end reports the keys that were never read.
//!
//! A getter returns `None` for a key that is absent and for one that is invalid; it has reported the latter.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::HeaderValue;
use ipnet::IpNet;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::nearest::nearest;
use crate::config::problem::{Findings, Place, either, shown};

/// A day, in milliseconds: the longest time of any key, as in the WIT record `timeouts`.
pub const DAY_MS: u64 = 86_400_000;

/// Data that all sections of a configuration share.
#[derive(Debug, Clone, Copy)]
pub struct Source<'t> {
    /// The findings of all files.
    pub findings: &'t Findings,
    /// The folder that relative paths start from.
    pub folder: &'t Path,
}

/// A table of a file. Call [`Section::finish`] at the end, or its unknown keys go unnoticed.
pub struct Section<'t> {
    source: Source<'t>,
    table: &'t DeTable<'t>,
    place: Place,
    known: Vec<&'static str>,
}

/// A value with its place.
#[derive(Debug, Clone)]
pub struct Placed<T> {
    pub value: T,
    pub place: Place,
}

/// The unit of an integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Things,
    Bytes,
    Mebibytes,
    Milliseconds,
    Seconds,
}

type Value<'t> = Spanned<DeValue<'t>>;

impl<'t> Section<'t> {
    /// The root table of the file with index `file`.
    pub fn root(table: &'t DeTable<'t>, file: usize, source: Source<'t>) -> Section<'t> {
        Section { source, table, place: Place::of_file(file, 0), known: Vec::new() }
    }

    pub fn findings(&self) -> &'t Findings {
        self.source.findings
    }

    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Reports a key that is absent, with an example of a value, written in TOML.
    pub fn require(&mut self, key: &'static str, example: &str) {
        if self.get(key).is_none() {
            self.problem(key, format!("is missing: add it, for example `{key} = {example}`"));
        }
    }

    pub fn string(&mut self, key: &'static str) -> Option<Placed<&'t str>> {
        let value = self.get(key)?;
        self.typed(value, self.place_of(key), "a string", DeValue::as_str)
    }

    /// A list of strings. Items that are not strings are reported and left out.
    pub fn strings(&mut self, key: &'static str) -> Option<Vec<Placed<&'t str>>> {
        let value = self.get(key)?;
        let array = self.typed(value, self.place_of(key), "an array of strings", DeValue::as_array)?;
        let items = array.value.iter().enumerate().filter_map(|(index, item)| {
            self.typed(item, array.place.item(index, item.span().start), "a string", DeValue::as_str)
        });
        Some(items.collect())
    }

    /// A list of one string or more. Items that are not strings are reported and left out.
    pub fn required_strings(&mut self, key: &'static str, example: &str) -> Vec<Placed<&'t str>> {
        self.require(key, example);
        let empty = |value: &Value<'_>| value.get_ref().as_array().is_some_and(|array| array.is_empty());
        if self.get(key).is_some_and(empty) {
            self.problem(key, format!("must not be empty: write, for example, `{key} = {example}`"));
        }
        self.strings(key).unwrap_or_default()
    }

    /// One of a few strings, as the value that it means.
    pub fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.string(key)?;
        choose(&text, choices, self.findings())
    }

    /// A list of IP addresses and networks. Other items are reported and left out.
    pub fn networks(&mut self, key: &'static str) -> Vec<IpNet> {
        let findings = self.findings();
        let texts = self.strings(key).unwrap_or_default().into_iter();
        let networks = texts.filter_map(|text| {
            let address = text.value.parse::<IpAddr>().map(IpNet::from);
            match address.or_else(|_| text.value.parse::<IpNet>()) {
                Ok(network) if network == network.trunc() => Some(network),
                Ok(network) => {
                    let message = format!("`{network}` has bits beyond its prefix: write `{}`", network.trunc());
                    findings.add(&text.place, message);
                    None
                }
                Err(_) => {
                    let message = "must be an IP address or a network, such as \"10.0.0.0/8\"";
                    findings.add(&text.place, format!("{message}, found `{}`", shown(text.value)));
                    None
                }
            }
        });
        networks.collect()
    }

    /// An IP address and a port.
    pub fn address(&mut self, key: &'static str) -> Option<Placed<SocketAddr>> {
        let text = self.string(key)?;
        self.parse_address(text)
    }

    /// A list of one or more addresses with ports. Other items are reported and left out.
    pub fn required_addresses(&mut self, key: &'static str, example: &str) -> Vec<Placed<SocketAddr>> {
        let texts = self.required_strings(key, example);
        texts.into_iter().filter_map(|text| self.parse_address(text)).collect()
    }

    fn parse_address(&self, text: Placed<&str>) -> Option<Placed<SocketAddr>> {
        match text.value.parse() {
            Ok(value) => Some(Placed { value, place: text.place }),
            Err(_) => {
                let message = "must be an IP address and a port, such as \"0.0.0.0:8080\" or \"[::]:8080\"";
                self.findings().add(&text.place, format!("{message}, found `{}`", shown(text.value)));
                None
            }
        }
    }

    /// A string that is not empty and is valid as a header value. `must` begins the message if it is not.
    pub fn header_value(&mut self, key: &'static str, must: &str) -> Option<String> {
        let text = self.string(key)?;
        if !text.value.is_empty() && HeaderValue::from_str(text.value).is_ok() {
            return Some(text.value.to_owned());
        }
        self.findings().add(&text.place, format!("{must}, found `{}`", shown(text.value)));
        None
    }

    pub fn boolean(&mut self, key: &'static str) -> Option<bool> {
        let value = self.get(key)?;
        self.typed(value, self.place_of(key), "true or false", DeValue::as_bool).map(|boolean| boolean.value)
    }

    pub fn number<T>(&mut self, key: &'static str, range: RangeInclusive<T>, unit: Unit) -> Option<T>
    where
        T: TryFrom<i128> + PartialOrd + Display,
    {
        let value = self.get(key)?;
        self.number_at(value, self.place_of(key), range, unit)
    }

    /// A list of integers. Items that are not integers, or not within the range, are reported and left out.
    pub fn numbers<T>(&mut self, key: &'static str, range: RangeInclusive<T>) -> Vec<T>
    where
        T: TryFrom<i128> + PartialOrd + Display + Copy,
    {
        let Some(value) = self.get(key) else { return Vec::new() };
        let array = self.typed(value, self.place_of(key), "an array of integers", DeValue::as_array);
        let items = array.iter().flat_map(|array| {
            array.value.iter().enumerate().filter_map(|(index, item)| {
                let place = array.place.item(index, item.span().start);
                self.number_at(item, place, *range.start()..=*range.end(), Unit::Things)
            })
        });
        items.collect()
    }

    fn number_at<T>(&self, value: &'t Value<'t>, place: Place, range: RangeInclusive<T>, unit: Unit) -> Option<T>
    where
        T: TryFrom<i128> + PartialOrd + Display,
    {
        let integer = self.typed(value, place, "an integer", DeValue::as_integer)?;
        let number = i128::from_str_radix(integer.value.as_str(), integer.value.radix()).ok();
        let within = number.and_then(|number| T::try_from(number).ok()).filter(|number| range.contains(number));
        if within.is_none() {
            let (low, high, unit) = (range.start(), range.end(), unit.remark());
            let found = shown(&integer.value.to_string());
            self.findings().add(&integer.place, format!("must be from {low} to {high}{unit}, found {found}"));
        }
        within
    }

    pub fn milliseconds(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Option<Duration> {
        self.number(key, range, Unit::Milliseconds).map(Duration::from_millis)
    }

    pub fn seconds(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Option<Duration> {
        self.number(key, range, Unit::Seconds).map(Duration::from_secs)
    }

    /// The path of a file. A relative path starts from the folder of the configuration.
    pub fn path(&mut self, key: &'static str) -> Option<PathBuf> {
        let path = self.string(key)?;
        if path.value.is_empty() {
            self.findings().add(&path.place, "must be the path of a file, found an empty string");
            return None;
        }
        if path.value.contains('\0') {
            self.findings().add(&path.place, "must be the path of a file, which cannot hold a NUL byte");
            return None;
        }
        Some(self.source.folder.join(path.value))
    }

    /// The path of a file of this name in the folder of the configuration.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.source.folder.join(name)
    }

    /// A table, which the caller must read and finish.
    pub fn table(&mut self, key: &'static str) -> Option<Section<'t>> {
        let value = self.get(key)?;
        let table = self.typed(value, self.place_of(key), "a table", DeValue::as_table)?;
        Some(self.below(table))
    }

    /// An array of one table or more, each of which the caller must read and finish.
    pub fn required_tables(&mut self, key: &'static str) -> Vec<Section<'t>> {
        let place = self.place_of(key);
        let header = header(&place.key);
        if self.get(key).is_none() {
            self.problem(key, format!("is missing: add at least one `[[{header}]]`"));
        }
        let empty = |value: &Value<'_>| value.get_ref().as_array().is_some_and(|array| array.is_empty());
        if self.get(key).is_some_and(empty) {
            self.problem(
                key,
                format!("must be one or more tables, each written as `[[{header}]]`, found an empty array"),
            );
        }
        self.tables_at(key, place, &format!("one or more tables, each written as `[[{header}]]`"))
    }

    /// An array of any number of tables, each of which the caller must read and finish.
    pub fn tables(&mut self, key: &'static str) -> Vec<Section<'t>> {
        let place = self.place_of(key);
        let expected = format!("tables, each written as `[[{}]]`", header(&place.key));
        self.tables_at(key, place, &expected)
    }

    fn tables_at(&mut self, key: &'static str, place: Place, expected: &str) -> Vec<Section<'t>> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let Some(array) = self.typed(value, place, expected, DeValue::as_array) else { return Vec::new() };
        let tables = array.value.iter().enumerate().filter_map(|(index, item)| {
            let place = array.place.item(index, item.span().start);
            self.typed(item, place, "a table", DeValue::as_table).map(|table| self.below(table))
        });
        tables.collect()
    }

    /// A value of any type.
    pub fn any(&mut self, key: &'static str) -> Option<Placed<&'t DeValue<'t>>> {
        let value = self.get(key)?;
        Some(Placed { value: value.get_ref(), place: self.place_of(key) })
    }

    /// Reports a problem with a key. If the key is absent, the place is the head of its table.
    pub fn problem(&self, key: &'static str, message: impl Into<String>) {
        self.findings().add(&self.place_of(key), message);
    }

    /// Reports the keys that were never read.
    pub fn finish(self) {
        for (key, _) in self.table.iter() {
            let name: &str = key.get_ref();
            if self.known.contains(&name) {
                continue;
            }
            let message = match nearest(name, &self.known) {
                Some(nearest) => format!("unknown key; did you mean `{nearest}`?"),
                None => format!("unknown key; known here: {}", self.known.join(", ")),
            };
            self.findings().add(&self.place.below(name, key.span().start), message);
        }
    }

    fn get(&mut self, key: &'static str) -> Option<&'t Value<'t>> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        self.table.get(key)
    }

    pub fn place_of(&self, key: &'static str) -> Place {
        let offset = self.table.get(key).map_or(self.place.offset, |value| value.span().start);
        self.place.below(key, offset)
    }

    fn typed<T>(
        &self,
        value: &'t Value<'t>,
        place: Place,
        expected: &str,
        get: impl Fn(&'t DeValue<'t>) -> Option<T>,
    ) -> Option<Placed<T>> {
        match get(value.get_ref()) {
            Some(value) => Some(Placed { value, place }),
            None => {
                self.findings().add(&place, format!("must be {expected}, found {}", kind(value.get_ref())));
                None
            }
        }
    }

    fn below(&self, table: Placed<&'t DeTable<'t>>) -> Section<'t> {
        Section { source: self.source, table: table.value, place: table.place, known: Vec::new() }
    }
}

impl Unit {
    /// The unit's name after a range in a message.
    fn remark(self) -> &'static str {
        match self {
            Unit::Things => "",
            Unit::Bytes => " (bytes)",
            Unit::Mebibytes => " (MiB)",
            Unit::Milliseconds => " (milliseconds)",
            Unit::Seconds => " (seconds)",
        }
    }
}

/// Maps one of a few strings to its value; any other string is reported.
pub fn choose<T: Copy>(text: &Placed<&str>, choices: &[(&str, T)], findings: &Findings) -> Option<T> {
    let chosen = choices.iter().find(|(choice, _)| *choice == text.value).map(|(_, value)| *value);
    if chosen.is_none() {
        let choices: Vec<String> = choices.iter().map(|(choice, _)| format!("\"{choice}\"")).collect();
        let found = shown(text.value);
        findings.add(&text.place, format!("must be {}, found `{found}`", either(&choices)));
    }
    chosen
}

/// The type of a value, in a message's words.
pub fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

/// The header that a file uses for the tables at a key: `tenant[0].module` is written as `tenant.module`.
fn header(key: &str) -> String {
    let names: Vec<&str> = key.split('.').map(|name| name.split_once('[').map_or(name, |(name, _)| name)).collect();
    names.join(".")
}
