//! Entry point of the reader: turns the texts of all files into a configuration.

use std::path::{Path, PathBuf};

use toml::de::DeTable;

use crate::config::claims::Claims;
use crate::config::problem::{Findings, Place, shown};
use crate::config::section::{Section, Source};
use crate::config::{
    AdminConfig, Config, ConfigErrors, TenantConfig, admin, credential, listener, log, proxy, resolver, tenant,
};

/// A file's path and text.
pub struct Text {
    pub path: PathBuf,
    pub text: String,
}

/// All files of a configuration.
pub struct Files {
    pub main: Text,
    /// None: there is no folder for tenants.
    pub tenants: Option<Vec<Text>>,
}

/// Reads a configuration from one text. `file` is named in messages, and relative paths start from its folder.
pub fn parse(text: &str, file: &Path) -> Result<Config, ConfigErrors> {
    let main = Text { path: file.to_owned(), text: text.to_owned() };
    files(&Files { main, tenants: None })
}

/// Reads a configuration from the texts of its files.
pub fn files(files: &Files) -> Result<Config, ConfigErrors> {
    let all = || std::iter::once(&files.main).chain(files.tenants.iter().flatten());
    let findings = Findings::new(all().map(|file| (file.path.as_path(), file.text.as_str())));
    let mut tables = Vec::new();
    for (index, file) in all().enumerate() {
        let (table, errors) = DeTable::parse_recoverable(&file.text);
        syntax(index, &file.text, errors, &findings);
        tables.push(table);
    }
    if !findings.is_empty() {
        // The rest of a broken file is not checked: many of its keys would only seem to be missing.
        return Err(findings.into_errors());
    }
    let sections = all().zip(&tables).enumerate().map(|(index, (file, table))| {
        let folder = file.path.parent().unwrap_or(Path::new(""));
        Section::root(table.get_ref(), index, Source { findings: &findings, folder })
    });
    let config = read(sections, &findings, files.tenants.is_some());
    match config {
        Some(config) if findings.is_empty() => Ok(config),
        _ => Err(findings.into_errors()),
    }
}

/// Reads `[admin]` alone: the rest of the text is not checked, as long as it is TOML.
pub fn admin_of(file: &Text) -> Result<Option<AdminConfig>, ConfigErrors> {
    let findings = Findings::new([(file.path.as_path(), file.text.as_str())]);
    let (table, errors) = DeTable::parse_recoverable(&file.text);
    syntax(0, &file.text, errors, &findings);
    let config = if findings.is_empty() {
        let folder = file.path.parent().unwrap_or(Path::new(""));
        let mut root = Section::root(table.get_ref(), 0, Source { findings: &findings, folder });
        admin::read(root.table("admin"), &mut Claims::new(&findings))
    } else {
        None
    };
    if findings.is_empty() { Ok(config) } else { Err(findings.into_errors()) }
}

/// Reads all sections; the first is the main file. The configuration has gaps if there were findings.
fn read<'t>(
    mut sections: impl Iterator<Item = Section<'t>>,
    findings: &'t Findings,
    has_folder: bool,
) -> Option<Config> {
    let mut root = sections.next()?;
    let mut claims = Claims::new(findings);
    let of_proxy = root.table("proxy");
    let log = log::read(root.table("log"));
    let resolver = resolver::read(root.table("resolver"));
    let admin = admin::read(root.table("admin"), &mut claims);
    let listeners = root.required_tables("listener").into_iter();
    let listeners: Vec<_> = listeners.filter_map(|section| listener::read(section, &mut claims)).collect();
    let proxy = proxy::read(of_proxy, &listeners, admin.as_ref());
    let roots = root.tables("ca").into_iter();
    let mut credentials: Vec<_> = roots.filter_map(|section| credential::read_ca(section, &mut claims)).collect();
    let pairs = root.tables("client_cert").into_iter();
    credentials.extend(pairs.filter_map(|section| credential::read_client_cert(section, &mut claims)));
    let of_main = if has_folder { root.tables("tenant") } else { root.required_tables("tenant") };
    root.finish();
    let mut tenants: Vec<TenantConfig> = Vec::new();
    tenants.extend(of_main.into_iter().map(|section| tenant::read(section, &mut claims)));
    for mut root in sections {
        tenants.extend(root.required_tables("tenant").into_iter().map(|section| tenant::read(section, &mut claims)));
        root.finish();
    }
    Some(Config { proxy, log, resolver, admin, listeners, credentials, tenants })
}

/// Reports syntax errors with the TOML parser's own messages.
fn syntax(file: usize, text: &str, mut errors: Vec<toml::de::Error>, findings: &Findings) {
    /// Most errors that are reported. A file that is not TOML has an error in every word; nobody reads more than a
    /// screenful.
    const MOST: usize = 32;
    errors.sort_by_key(|error| error.span().map(|span| span.start));
    for (index, error) in errors.iter().enumerate() {
        let span = error.span().unwrap_or_default();
        let place = Place::of_file(file, span.start);
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

/// The column of a byte offset, in characters; the first is 1.
pub fn column(text: &str, offset: usize) -> usize {
    let before = text.get(..offset).unwrap_or(text);
    before.chars().rev().take_while(|&character| character != '\n').count().saturating_add(1)
}
