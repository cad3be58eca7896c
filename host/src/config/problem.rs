//! What is wrong with a configuration, and where.

use std::cell::RefCell;
use std::fmt;
use std::path::{Path, PathBuf};

/// Every problem of one file, in the order of its lines.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors {
    file: PathBuf,
    problems: Vec<Problem>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Problem {
    /// None: the file as a whole.
    line: Option<usize>,
    /// Empty: the line, or the file, as a whole.
    key: String,
    message: String,
}

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// In bytes, from the start of the file.
    pub offset: usize,
    /// The path of its key, such as `tenant[0].hostnames[1]`.
    pub key: String,
}

/// What was found wrong with a file so far.
#[derive(Debug)]
pub struct Findings {
    /// The byte offset of each line's end.
    line_ends: Vec<usize>,
    /// With the byte offsets by which they are sorted. In a cell, since all sections of a file add to it.
    found: RefCell<Vec<(usize, Problem)>>,
}

impl ConfigErrors {
    /// A file that can't be read.
    pub fn whole(file: &Path, message: String) -> ConfigErrors {
        let problem = Problem { line: None, key: String::new(), message };
        ConfigErrors { file: file.to_owned(), problems: vec![problem] }
    }
}

/// One line a problem: `pointsman.toml:12: tenant[0].limits.attempts: must be from 1 to 16, found 0`.
impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Problem { line, key, message }) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}:", self.file.display())?;
            if let Some(line) = line {
                write!(f, "{line}:")?;
            }
            if !key.is_empty() {
                write!(f, " {}:", OneLine(key))?;
            }
            write!(f, " {}", OneLine(message))?;
        }
        Ok(())
    }
}

impl Place {
    /// The place of a key in the table that stands here.
    pub fn below(&self, key: &str, offset: usize) -> Place {
        let bare = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        let key = if bare { shown(key) } else { format!("{:?}", shown(key)) };
        Place { offset, key: if self.key.is_empty() { key } else { format!("{}.{key}", self.key) } }
    }

    /// The place of an item in the array that stands here.
    pub fn item(&self, index: usize, offset: usize) -> Place {
        Place { offset, key: format!("{}[{index}]", self.key) }
    }
}

impl Findings {
    pub fn new(text: &str) -> Findings {
        let line_ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(offset, _)| offset);
        Findings { line_ends: line_ends.collect(), found: RefCell::default() }
    }

    /// The line of a byte offset; the first is 1.
    pub fn line(&self, offset: usize) -> usize {
        self.line_ends.partition_point(|&end| end < offset).saturating_add(1)
    }

    pub fn add(&self, place: &Place, message: impl Into<String>) {
        let problem = Problem { line: Some(self.line(place.offset)), key: place.key.clone(), message: message.into() };
        self.found.borrow_mut().push((place.offset, problem));
    }

    pub fn is_empty(&self) -> bool {
        self.found.borrow().is_empty()
    }

    pub fn into_errors(self, file: &Path) -> ConfigErrors {
        let mut found = self.found.into_inner();
        found.sort_by_key(|(offset, _)| *offset);
        ConfigErrors { file: file.to_owned(), problems: found.into_iter().map(|(_, problem)| problem).collect() }
    }
}

/// What a file says, short enough for a message.
pub fn shown(text: &str) -> String {
    /// In characters; the longest value that makes sense, a hostname, has 253, and its start tells which it is.
    const LONGEST: usize = 64;
    match text.char_indices().nth(LONGEST).and_then(|(end, _)| text.get(..end)) {
        Some(start) => format!("{start}..."),
        None => text.to_owned(),
    }
}

/// Alternatives, as a sentence has them.
pub fn either(choices: &[String]) -> String {
    match choices {
        [first @ .., before, last] => {
            let first: String = first.iter().map(|choice| format!("{choice}, ")).collect();
            format!("{first}{before} or {last}")
        }
        _ => choices.concat(),
    }
}

/// Text with its control characters escaped: a key or a value may hold line breaks, a problem has one line.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            if character.is_control() {
                write!(f, "{}", character.escape_default())?;
            } else {
                write!(f, "{character}")?;
            }
        }
        Ok(())
    }
}
