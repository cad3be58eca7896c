//! A typed reader over one TOML table. It hands out keys by type and range, collects problems instead of stopping at
//! the first, and at its end reports the keys that nobody asked for.

use std::cell::RefCell;
use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use crate::config::problem::Problem;

/// The text of a file and what was found wrong with it so far.
pub struct Findings<'t> {
    text: &'t str,
    problems: RefCell<Vec<Problem>>,
}

/// A table of the file.
pub struct Section<'t> {
    findings: &'t Findings<'t>,
    table: &'t DeTable<'t>,
    path: String,
    offset: usize,
    asked: Vec<&'static str>,
}

/// A value with the place where it stands.
#[derive(Debug, Clone)]
pub struct Placed<T> {
    pub value: T,
    pub offset: usize,
    /// Its path, such as `tenant[0].hostnames[1]`.
    pub path: String,
}

impl<T> Placed<T> {
    /// The place alone.
    pub fn place(&self) -> Placed<()> {
        Placed { value: (), offset: self.offset, path: self.path.clone() }
    }
}

impl<'t> Findings<'t> {
    pub fn new(text: &'t str) -> Findings<'t> {
        Findings { text, problems: RefCell::default() }
    }

    pub fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }

    /// The line of a byte offset; the first is 1.
    pub fn line(&self, offset: usize) -> usize {
        1 + self.text.bytes().take(offset).filter(|&byte| byte == b'\n').count()
    }

    pub fn add(&self, offset: usize, path: &str, message: impl Into<String>) {
        let problem = Problem { line: Some(self.line(offset)), key: path.to_owned(), message: message.into() };
        self.problems.borrow_mut().push(problem);
    }

    pub fn add_at<T>(&self, place: &Placed<T>, message: impl Into<String>) {
        self.add(place.offset, &place.path, message);
    }
}

impl<'t> Section<'t> {
    pub fn root(findings: &'t Findings<'t>, table: &'t DeTable<'t>) -> Section<'t> {
        Section { findings, table, path: String::new(), offset: 0, asked: Vec::new() }
    }

    pub fn findings(&self) -> &'t Findings<'t> {
        self.findings
    }

    pub fn has(&self, key: &'static str) -> bool {
        self.table.contains_key(key)
    }

    pub fn string(&mut self, key: &'static str) -> Option<Placed<&'t str>> {
        let value = self.get(key)?;
        self.string_of(value, self.path_of(key))
    }

    pub fn required_string(&mut self, key: &'static str) -> Option<Placed<&'t str>> {
        self.require(key);
        self.string(key)
    }

    /// A list of strings. None if the key is absent; what is not a string in it is reported and left out.
    pub fn strings(&mut self, key: &'static str) -> Option<Vec<Placed<&'t str>>> {
        let array = self.array(key, "a list of strings")?;
        let strings = array.iter().enumerate().filter_map(|(index, value)| {
            let path = format!("{}[{index}]", self.path_of(key));
            self.string_of(value, path)
        });
        Some(strings.collect())
    }

    pub fn boolean(&mut self, key: &'static str) -> Option<bool> {
        let value = self.get(key)?;
        let found = value.get_ref().as_bool();
        if found.is_none() {
            self.wrong_type(key, value, "true or false");
        }
        found
    }

    /// An integer within a range that is told with its unit, such as ` (milliseconds)`.
    pub fn integer(&mut self, key: &'static str, range: RangeInclusive<u64>, unit: &str) -> Option<u64> {
        let value = self.get(key)?;
        let Some(integer) = value.get_ref().as_integer() else {
            self.wrong_type(key, value, "an integer");
            return None;
        };
        let number = u64::from_str_radix(&integer.as_str().replace('_', ""), integer.radix()).ok();
        let within = number.filter(|number| range.contains(number));
        if within.is_none() {
            let message = format!("must be from {} to {}{unit}, found {integer}", range.start(), range.end());
            self.findings.add(value.span().start, &self.path_of(key), message);
        }
        within
    }

    /// A table, to be read and finished.
    pub fn table(&mut self, key: &'static str) -> Option<Section<'t>> {
        let value = self.get(key)?;
        match value.get_ref().as_table() {
            Some(table) => Some(self.below(table, self.path_of(key), value.span().start)),
            None => {
                self.wrong_type(key, value, "a table");
                None
            }
        }
    }

    /// An array of tables, each to be read and finished; at least one.
    pub fn tables(&mut self, key: &'static str, missing: &str) -> Vec<Section<'t>> {
        let has = self.has(key);
        let array = self.array(key, "tables, each written as `[[...]]`");
        if array.map_or(!has, |array| array.is_empty()) {
            self.problem(key, missing);
        }
        let Some(array) = array else { return Vec::new() };
        let mut sections = Vec::new();
        for (index, value) in array.iter().enumerate() {
            let path = format!("{}[{index}]", self.path_of(key));
            match value.get_ref().as_table() {
                Some(table) => sections.push(self.below(table, path, value.span().start)),
                None => self.findings.add(value.span().start, &path, "must be a table"),
            }
        }
        sections
    }

    /// A value of any type.
    pub fn any(&mut self, key: &'static str) -> Option<Placed<&'t DeValue<'t>>> {
        let value = self.get(key)?;
        Some(Placed { value: value.get_ref(), offset: value.span().start, path: self.path_of(key) })
    }

    /// Reports a problem of one key, or of the table if the key is absent.
    pub fn problem(&self, key: &'static str, message: impl Into<String>) {
        let offset = self.table.get(key).map_or(self.offset, |value| value.span().start);
        self.findings.add(offset, &self.path_of(key), message);
    }

    /// Reports the keys that nobody asked for.
    pub fn finish(self) {
        for (key, _) in self.table.iter() {
            let name: &str = key.get_ref();
            if self.asked.contains(&name) {
                continue;
            }
            let nearest = self
                .asked
                .iter()
                .max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
            let message = match nearest.filter(|nearest| strsim::jaro_winkler(nearest, name) > 0.8) {
                Some(nearest) => format!("unknown key; did you mean `{nearest}`?"),
                None => format!("unknown key; known here: {}", self.asked.join(", ")),
            };
            let shown = name.escape_default().to_string();
            self.findings.add(key.span().start, &join(&self.path, &shown), message);
        }
    }

    fn get(&mut self, key: &'static str) -> Option<&'t Spanned<DeValue<'t>>> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        self.table.get(key)
    }

    fn require(&mut self, key: &'static str) {
        if self.get(key).is_none() {
            self.findings.add(self.offset, &self.path_of(key), "is missing");
        }
    }

    fn array(&mut self, key: &'static str, what: &str) -> Option<&'t DeArray<'t>> {
        let value = self.get(key)?;
        let array = value.get_ref().as_array();
        if array.is_none() {
            self.wrong_type(key, value, what);
        }
        array
    }

    fn string_of(&self, value: &'t Spanned<DeValue<'t>>, path: String) -> Option<Placed<&'t str>> {
        let offset = value.span().start;
        match value.get_ref().as_str() {
            Some(value) => Some(Placed { value, offset, path }),
            None => {
                self.findings.add(offset, &path, format!("must be a string, found {}", value.get_ref().type_str()));
                None
            }
        }
    }

    fn below(&self, table: &'t DeTable<'t>, path: String, offset: usize) -> Section<'t> {
        Section { findings: self.findings, table, path, offset, asked: Vec::new() }
    }

    fn wrong_type(&self, key: &'static str, value: &Spanned<DeValue<'t>>, expected: &str) {
        let message = format!("must be {expected}, found {}", value.get_ref().type_str());
        self.findings.add(value.span().start, &self.path_of(key), message);
    }

    fn path_of(&self, key: &str) -> String {
        join(&self.path, key)
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
