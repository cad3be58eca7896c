//! The record in a project's copy of an SDK: the version of the program that wrote it, and checksums of its files.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use pointsman_wasm::module::Digest;

use crate::sdk::Language;

/// The file of a copy that has the version of the program that wrote it, and the checksums of the other files.
pub const RECORD: &str = "sdk.sum";

/// What a record's first line begins with, before the version.
const HEADING: &str = "# pointsman ";

/// The version of the program, and so of its SDKs.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The contents of a [`RECORD`].
#[derive(Debug, PartialEq, Eq)]
pub struct Record {
    pub version: String,
    /// SHA-256 in hex, by path.
    pub sums: BTreeMap<String, String>,
}

impl Record {
    pub fn of(files: &BTreeMap<String, Cow<'static, [u8]>>) -> Record {
        let sums = files.iter().map(|(path, bytes)| (path.clone(), checksum(bytes))).collect();
        Record { version: VERSION.to_owned(), sums }
    }

    /// The form of `sha256sum`, which skips comments.
    pub fn text(&self, language: Language) -> String {
        let mut text = format!(
            "{HEADING}{}\n# The SDK for {}. `pointsman sdk update` replaces it; `sha256sum --check {RECORD}` shows what was \
             changed.\n",
            self.version,
            language.name()
        );
        for (path, sum) in &self.sums {
            let _ = writeln!(text, "{sum}  {path}");
        }
        text
    }

    pub fn parse(text: &str) -> Option<Record> {
        let version = text.lines().next()?.strip_prefix(HEADING)?.trim().to_owned();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let sums = lines.map(|line| line.split_once("  ").map(|(sum, path)| (path.to_owned(), sum.to_owned())));
        Some(Record { version, sums: sums.collect::<Option<_>>()? })
    }
}

/// SHA-256 in hex, as `sha256sum` writes it.
pub fn checksum(bytes: &[u8]) -> String {
    Digest::of(bytes).full()
}
