//! What is wrong with a configuration.

use std::fmt;
use std::path::PathBuf;

/// Every problem of one file, in the order of its lines.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors {
    file: PathBuf,
    problems: Vec<Problem>,
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// None: the file as a whole.
    pub line: Option<usize>,
    /// The key's path, such as `tenant[0].limits.decision_ms`. Empty: the file as a whole.
    pub key: String,
    pub message: String,
}

impl ConfigErrors {
    pub fn new(file: PathBuf, mut problems: Vec<Problem>) -> ConfigErrors {
        problems.sort_by_key(|problem| problem.line);
        ConfigErrors { file, problems }
    }

    /// A file that can't be read.
    pub fn whole(file: PathBuf, message: String) -> ConfigErrors {
        ConfigErrors { file, problems: vec![Problem { line: None, key: String::new(), message }] }
    }
}

/// A line a problem: `pointsman.toml:12: tenant[0].name: is missing`.
impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}:", self.file.display())?;
            if let Some(line) = problem.line {
                write!(f, "{line}:")?;
            }
            if !problem.key.is_empty() {
                write!(f, " {}:", problem.key)?;
            }
            write!(f, " {}", problem.message)?;
        }
        Ok(())
    }
}
