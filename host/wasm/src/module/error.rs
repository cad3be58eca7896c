//! Errors of loading a module. Each message says what to do.

use std::path::PathBuf;

use pointsman_rules::config::Limits;
use pointsman_rules::limit_key::LimitKey;

use crate::call::{CallError, Frames};
use crate::module::world::SUPPORTED;
use crate::wasi;

/// A module that was refused at load.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("cannot read `{path}`")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("the file has {size} bytes; a module may have {limit} at most")]
    TooLarge { size: u64, limit: u64 },
    #[error("not a WebAssembly file: it does not start with `\\0asm`")]
    NotWasm,
    #[error("not valid WebAssembly, at byte {offset}: {message}; is the file complete?")]
    Invalid { offset: usize, message: String },
    #[error(
        "a core module without a component type: build it with wit-bindgen for the world `pointsman:router/router`, \
         or make it a component with `wasm-tools component new`"
    )]
    NoComponentType,
    #[error("the packages of its component type depend on each other in a cycle (`{packages}`): build it again")]
    Circle { packages: String },
    #[error("a core module that imports WASI other than `wasi_snapshot_preview1` (`{import}`): {remedy}")]
    CoreWasi { import: String, remedy: &'static str },
    #[error("a core module that cannot be converted to a component: {message}")]
    Encode { message: String },
    #[error("it imports `{import}`: the only WASI for modules is {}; {remedy}", wasi::OFFERED)]
    Wasi { import: String, remedy: &'static str },
    #[error("it was built against `{found}`; this host supports {}", supported())]
    UnsupportedVersion { found: String },
    #[error("it imports `{import}`, which this host does not offer; a module may import {} only", offered())]
    UnknownImport { import: String },
    #[error("it does not export `{export}`, so it is not a router; its exports: {found}")]
    MissingExport { export: &'static str, found: String },
    #[error("its imports or exports have other types than the world `pointsman:router/router`: {message}")]
    WrongType { message: String },
    #[error("it needs {needed} {what}; {limit} are allowed{}", raise(.key))]
    NeedsTooMuch { what: &'static str, needed: u64, limit: u64, key: Option<LimitKey> },
    #[error("it cannot be compiled: {message}")]
    Compile { message: String },
    #[error("it cannot be started: {message}")]
    Start { message: String },
    #[error("its `configure` refused its `config` table: {0}")]
    ConfigureDeclined(String),
    #[error("its `configure` took more than {budget_ms} ms of CPU time ({}){frames}", LimitKey::ConfigureMs)]
    ConfigureTime { budget_ms: u128, frames: Frames },
    /// `log` has the lines that it wrote before, since a bug's text is among them.
    #[error("its `configure` failed: {cause}{}", after(.log))]
    Configure { cause: CallError, log: Vec<String> },
    #[error("building it took more than {seconds} s of CPU time: make it smaller, or split it into several modules")]
    BuildTime { seconds: u64 },
    #[error(
        "building it ended with signal {signal}, as it does when it needs more than {memory_mib} MiB of memory: \
         make the module smaller"
    )]
    BuildDied { signal: i32, memory_mib: u64 },
    #[error("the build could not be run: {message}")]
    Builder { message: String },
    /// The error that the build process reported.
    #[error("{message}")]
    Reported { step: LoadStep, message: String },
}

/// A step from a file to a module that can decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadStep {
    Read,
    Build,
    /// Checking what an instance needs at its start against the limits.
    Limits,
    Configure,
}

impl LoadError {
    /// The error for a `configure` that failed after it had written these lines.
    pub(super) fn of_configure(error: CallError, log: Vec<String>, limits: &Limits) -> LoadError {
        match error {
            CallError::Declined(reason) => LoadError::ConfigureDeclined(reason),
            CallError::Budget { frames, .. } => {
                LoadError::ConfigureTime { budget_ms: limits.configure.as_millis(), frames }
            }
            cause => LoadError::Configure { cause, log },
        }
    }

    pub fn step(&self) -> LoadStep {
        match self {
            LoadError::Read { .. } | LoadError::TooLarge { .. } => LoadStep::Read,
            LoadError::NeedsTooMuch { .. } => LoadStep::Limits,
            LoadError::ConfigureDeclined(_) | LoadError::ConfigureTime { .. } | LoadError::Configure { .. } => {
                LoadStep::Configure
            }
            LoadError::Reported { step, .. } => *step,
            LoadError::NotWasm
            | LoadError::Invalid { .. }
            | LoadError::NoComponentType
            | LoadError::Circle { .. }
            | LoadError::CoreWasi { .. }
            | LoadError::Encode { .. }
            | LoadError::Wasi { .. }
            | LoadError::UnsupportedVersion { .. }
            | LoadError::UnknownImport { .. }
            | LoadError::MissingExport { .. }
            | LoadError::WrongType { .. }
            | LoadError::Compile { .. }
            | LoadError::Start { .. }
            | LoadError::BuildTime { .. }
            | LoadError::BuildDied { .. }
            | LoadError::Builder { .. } => LoadStep::Build,
        }
    }
}

/// The lines of a log, as an addition to a sentence.
fn after(log: &[String]) -> String {
    if log.is_empty() { String::new() } else { format!("; its log: {}", log.join("; ")) }
}

fn supported() -> String {
    SUPPORTED.map(|version| format!("`pointsman:router@{version}`")).join(", ")
}

fn offered() -> String {
    crate::module::world::INTERFACES.map(|name| format!("`pointsman:router/{name}`")).join(", ")
}

fn raise(key: &Option<LimitKey>) -> String {
    match key {
        Some(key) => format!(" (raise the tenant's `{key}`)"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCS: &str = include_str!("../../../../docs/modules.md");

    /// The messages of the table in `docs/modules.md`.
    fn documented() -> Vec<&'static str> {
        let (_, table) = DOCS.split_once("| message | remedy |\n").expect("the table");
        let rows = table.lines().take_while(|line| line.starts_with('|')).skip(1);
        rows.filter_map(|row| row.trim_matches('|').split('|').next()).map(str::trim).collect()
    }

    /// Whether a message matches a form in which `...` matches anything.
    fn is_of(form: &str, message: &str) -> bool {
        let mut parts = form.split("...").map(str::trim);
        let Some(mut rest) = parts.next().and_then(|start| message.strip_prefix(start)) else { return false };
        for part in parts {
            let Some((_, after)) = rest.split_once(part) else { return false };
            rest = after;
        }
        true
    }

    /// One error of each variant. A new variant does not compile until `has_a_row` lists it.
    fn samples() -> Vec<LoadError> {
        let text = || "x".to_owned();
        vec![
            LoadError::Read { path: PathBuf::from("x"), source: std::io::ErrorKind::NotFound.into() },
            LoadError::TooLarge { size: 2, limit: 1 },
            LoadError::NotWasm,
            LoadError::Invalid { offset: 1, message: text() },
            LoadError::NoComponentType,
            LoadError::Circle { packages: text() },
            LoadError::CoreWasi { import: text(), remedy: "x" },
            LoadError::Encode { message: text() },
            LoadError::Wasi { import: text(), remedy: "x" },
            LoadError::UnsupportedVersion { found: text() },
            LoadError::UnknownImport { import: text() },
            LoadError::MissingExport { export: "select-peer", found: text() },
            LoadError::WrongType { message: text() },
            LoadError::NeedsTooMuch { what: "x", needed: 2, limit: 1, key: Some(LimitKey::Instances) },
            LoadError::Compile { message: text() },
            LoadError::Start { message: text() },
            LoadError::ConfigureDeclined(text()),
            LoadError::ConfigureTime { budget_ms: 1, frames: Frames::default() },
            LoadError::Configure { cause: CallError::Declined(text()), log: vec![text()] },
            LoadError::BuildTime { seconds: 1 },
            LoadError::BuildDied { signal: 9, memory_mib: 1 },
            LoadError::Builder { message: text() },
        ]
    }

    fn has_a_row(error: &LoadError) -> bool {
        match error {
            LoadError::Read { .. }
            | LoadError::TooLarge { .. }
            | LoadError::NotWasm
            | LoadError::Invalid { .. }
            | LoadError::NoComponentType
            | LoadError::Circle { .. }
            | LoadError::CoreWasi { .. }
            | LoadError::Encode { .. }
            | LoadError::Wasi { .. }
            | LoadError::UnsupportedVersion { .. }
            | LoadError::UnknownImport { .. }
            | LoadError::MissingExport { .. }
            | LoadError::WrongType { .. }
            | LoadError::NeedsTooMuch { .. }
            | LoadError::Compile { .. }
            | LoadError::Start { .. }
            | LoadError::ConfigureDeclined(_)
            | LoadError::ConfigureTime { .. }
            | LoadError::Configure { .. }
            | LoadError::BuildTime { .. }
            | LoadError::BuildDied { .. }
            | LoadError::Builder { .. } => true,
            // One of the others, reported by another process.
            LoadError::Reported { .. } => false,
        }
    }

    #[test]
    fn every_refusal_has_its_row_in_the_docs() {
        let (forms, samples) = (documented(), samples());
        let messages: Vec<String> = samples.iter().filter(|error| has_a_row(error)).map(ToString::to_string).collect();
        for message in &messages {
            assert_eq!(forms.iter().filter(|form| is_of(form, message)).count(), 1, "{message}");
        }
        for form in &forms {
            assert!(messages.iter().any(|message| is_of(form, message)), "no refusal reads `{form}`");
        }
        assert_eq!(forms.len(), messages.len());
    }
}
