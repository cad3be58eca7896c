//! The entry: a whole file.

use std::path::Path;

use toml::de::DeTable;

use crate::config::claims::Claims;
use crate::config::problem::{Findings, Place, shown};
use crate::config::section::{Section, Source};
use crate::config::{Config, ConfigErrors, credential, listener, log, proxy, resolver, tenant};

/// Reads a configuration file.
pub fn load(path: &Path) -> Result<Config, ConfigErrors> {
    let bytes = std::fs::read(path).map_err(|error| ConfigErrors::whole(path, format!("cannot be read: {error}")))?;
    match str::from_utf8(&bytes) {
        Ok(text) => parse(text, path),
        Err(_) => {
            let valid = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
            let findings = Findings::new(valid);
            let place = Place { offset: valid.len(), key: String::new() };
            findings
                .add(&place, format!("is not UTF-8 at column {}: save the file as UTF-8", column(valid, valid.len())));
            Err(findings.into_errors(path))
        }
    }
}

/// Reads a configuration from text. `file` is named in messages, and relative paths start from its folder.
pub fn parse(text: &str, file: &Path) -> Result<Config, ConfigErrors> {
    let findings = Findings::new(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        // What is left of a broken file would be full of keys that only seem to be missing: it is not judged.
        syntax(text, errors, &findings);
        return Err(findings.into_errors(file));
    }
    let folder = file.parent().unwrap_or(Path::new(""));
    let config = read(Section::root(table.get_ref(), Source { findings: &findings, folder }));
    if findings.is_empty() { Ok(config) } else { Err(findings.into_errors(file)) }
}

/// A configuration, with holes if anything was found wrong.
fn read(mut root: Section<'_>) -> Config {
    let mut claims = Claims::new(root.findings());
    let proxy = proxy::read(root.table("proxy"));
    let log = log::read(root.table("log"));
    let resolver = resolver::read(root.table("resolver"));
    let listeners = root.required_tables("listener").into_iter();
    let listeners = listeners.filter_map(|section| listener::read(section, &mut claims)).collect();
    let roots = root.tables("ca").into_iter();
    let mut credentials: Vec<_> = roots.filter_map(|section| credential::read_ca(section, &mut claims)).collect();
    let pairs = root.tables("client_cert").into_iter();
    credentials.extend(pairs.filter_map(|section| credential::read_client_cert(section, &mut claims)));
    let tenants = root.required_tables("tenant").into_iter();
    let tenants = tenants.map(|section| tenant::read(section, &mut claims)).collect();
    root.finish();
    Config { proxy, log, resolver, listeners, credentials, tenants }
}

/// Reports errors of syntax in TOML's own words.
fn syntax(text: &str, mut errors: Vec<toml::de::Error>, findings: &Findings) {
    /// A file of another kind has an error in every word; nobody reads on after as many as fit on a screen.
    const MOST: usize = 32;
    errors.sort_by_key(|error| error.span().map(|span| span.start));
    for (index, error) in errors.iter().enumerate() {
        let span = error.span().unwrap_or_default();
        let place = Place { offset: span.start, key: String::new() };
        if index == MOST {
            let more = errors.len().saturating_sub(MOST);
            findings.add(&place, format!("not valid TOML: {more} more errors from here on"));
            return;
        }
        let (column, message) = (column(text, span.start), error.message());
        let found = match text.get(span).unwrap_or_default() {
            "" => String::new(),
            found => format!(", found `{}`", shown(found)),
        };
        findings.add(&place, format!("not valid TOML, at column {column}: {message}{found}"));
    }
}

/// In characters; the first is 1.
fn column(text: &str, offset: usize) -> usize {
    let before = text.get(..offset).unwrap_or(text);
    before.chars().rev().take_while(|&character| character != '\n').count().saturating_add(1)
}
