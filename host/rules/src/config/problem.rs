//! Problems of a configuration and their places, collected for one report.

use std::cell::RefCell;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::text::printable_line;

/// Every problem of a configuration, sorted by file and then by line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors {
    problems: Vec<Problem>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Problem {
    file: PathBuf,
    /// None: the problem concerns the whole file.
    line: Option<usize>,
    /// Empty: the problem concerns the whole line or file.
    key: String,
    message: String,
}

/// The place of a value in the configuration's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Index of the file; the first is 0.
    pub file: usize,
    /// In bytes, from the start of the file.
    pub offset: usize,
    /// The path of its key, such as `tenant[0].hostnames[1]`.
    pub key: String,
}

/// The problems found so far in a configuration's files.
#[derive(Debug)]
pub struct Findings {
    files: Vec<Lines>,
    /// Each with the file index and byte offset to sort by. In a `RefCell`, since all sections add to it.
    found: RefCell<Vec<((usize, usize), Problem)>>,
}

/// A file's name and the positions of its lines.
#[derive(Debug)]
struct Lines {
    name: PathBuf,
    /// The byte offset of each line's end.
    ends: Vec<usize>,
}

impl ConfigErrors {
    /// A problem of a whole file, such as one that can't be read.
    pub fn whole(file: &Path, message: String) -> ConfigErrors {
        let problem = Problem { file: file.to_owned(), line: None, key: String::new(), message };
        ConfigErrors { problems: vec![problem] }
    }

    pub fn and(mut self, others: ConfigErrors) -> ConfigErrors {
        self.problems.extend(others.problems);
        self
    }
}

/// One line per problem: `pointsman.toml:12: tenant[0].limits.attempts: must be from 1 to 16, found 0`.
impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Problem { file, line, key, message }) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            // A key or a value may contain line breaks, but each problem gets one line.
            write!(f, "{}:", printable_line(&file.to_string_lossy()))?;
            if let Some(line) = line {
                write!(f, "{line}:")?;
            }
            if !key.is_empty() {
                write!(f, " {}:", printable_line(key))?;
            }
            write!(f, " {}", printable_line(message))?;
        }
        Ok(())
    }
}

impl Place {
    /// A byte offset in a file, without a key.
    pub fn of_file(file: usize, offset: usize) -> Place {
        Place { file, offset, key: String::new() }
    }

    /// The place of a key in the table at this place.
    pub fn below(&self, key: &str, offset: usize) -> Place {
        let bare = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        let key = if bare { shown(key) } else { format!("{:?}", shown(key)) };
        let key = if self.key.is_empty() { key } else { format!("{}.{key}", self.key) };
        Place { file: self.file, offset, key }
    }

    /// The place of an item in the array at this place.
    pub fn item(&self, index: usize, offset: usize) -> Place {
        Place { file: self.file, offset, key: format!("{}[{index}]", self.key) }
    }
}

impl Findings {
    pub fn new<'a>(files: impl IntoIterator<Item = (&'a Path, &'a str)>) -> Findings {
        let lines = files.into_iter().map(|(name, text)| {
            let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(offset, _)| offset);
            Lines { name: name.to_owned(), ends: ends.collect() }
        });
        Findings { files: lines.collect(), found: RefCell::default() }
    }

    /// The words by which a message at `from` refers to the line of `place`.
    pub fn line(&self, place: &Place, from: &Place) -> String {
        let line = self.line_number(place);
        match self.files.get(place.file) {
            Some(file) if place.file != from.file => format!("line {line} of {}", file.name.display()),
            _ => format!("line {line}"),
        }
    }

    pub fn add(&self, place: &Place, message: impl Into<String>) {
        let file = self.files.get(place.file).map(|file| file.name.clone()).unwrap_or_default();
        let line = Some(self.line_number(place));
        let problem = Problem { file, line, key: place.key.clone(), message: message.into() };
        self.found.borrow_mut().push(((place.file, place.offset), problem));
    }

    pub fn is_empty(&self) -> bool {
        self.found.borrow().is_empty()
    }

    pub fn into_errors(self) -> ConfigErrors {
        let mut found = self.found.into_inner();
        found.sort_by_key(|(place, _)| *place);
        ConfigErrors { problems: found.into_iter().map(|(_, problem)| problem).collect() }
    }

    /// The line of a place; the first is 1.
    fn line_number(&self, place: &Place) -> usize {
        let ends = self.files.get(place.file).map_or(&[][..], |file| &file.ends);
        ends.partition_point(|&end| end < place.offset).saturating_add(1)
    }
}

/// Text from a file, cut short for a message.
pub fn shown(text: &str) -> String {
    /// In characters. The longest sensible value, a hostname, has 253, and its start is enough to recognize it.
    const LONGEST: usize = 64;
    match text.char_indices().nth(LONGEST).and_then(|(end, _)| text.get(..end)) {
        Some(start) => format!("{start}..."),
        None => text.to_owned(),
    }
}

/// Joins alternatives for a sentence.
pub fn either(choices: &[String]) -> String {
    match choices {
        [first @ .., before, last] => {
            let first: String = first.iter().map(|choice| format!("{choice}, ")).collect();
            format!("{first}{before} or {last}")
        }
        _ => choices.concat(),
    }
}
