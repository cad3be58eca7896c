//! The entry: a whole file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use crate::config::problem::Problem;
use crate::config::section::{Findings, Placed, Section};
use crate::config::{Config, ConfigErrors, HostPattern, listener, settings, tenant};

/// Reads a configuration file.
pub fn load(path: &Path) -> Result<Config, ConfigErrors> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| ConfigErrors::whole(path.to_owned(), format!("cannot be read: {error}")))?;
    parse(&text, path)
}

/// Reads a configuration from text. `file` is named in messages, and relative paths start from its folder.
pub fn parse(text: &str, file: &Path) -> Result<Config, ConfigErrors> {
    let errors = |problems| ConfigErrors::new(file.to_owned(), problems);
    let findings = Findings::new(text);
    let table = DeTable::parse(text).map_err(|error| {
        let line = error.span().map(|span| findings.line(span.start));
        errors(vec![Problem { line, key: String::new(), message: error.message().to_owned() }])
    })?;
    let config = {
        let paths = Paths { folder: file.parent().unwrap_or(Path::new("")).to_owned() };
        read(Section::root(&findings, table.get_ref()), &paths)
    };
    let problems = findings.into_problems();
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(errors(problems)),
    }
}

/// Where relative paths start.
pub struct Paths {
    folder: PathBuf,
}

impl Paths {
    pub fn resolve(&self, path: &Placed<&str>, findings: &Findings<'_>) -> Option<PathBuf> {
        if path.value.is_empty() || path.value.contains('\0') {
            findings.add_at(path, "must be the path of a file");
            return None;
        }
        Some(self.folder.join(path.value))
    }
}

/// None if something was found wrong that leaves no value to go on with; what was found is in the section's findings.
fn read(mut root: Section<'_>, paths: &Paths) -> Option<Config> {
    let proxy = settings::proxy(root.table("proxy"), paths);
    let log = settings::log(root.table("log"), paths);
    let listeners = list(&mut root, "listener", |section| listener::read(section, paths));
    let tenants = list(&mut root, "tenant", |section| tenant::read(section, paths));
    let findings = root.findings();
    root.finish();

    distinct(findings, &listeners, |(listener, names)| Some((listener.name.clone(), names.name.clone())), "name");
    distinct(
        findings,
        &listeners,
        |(listener, names)| {
            (listener.address.port() != 0).then(|| (listener.address.to_string(), names.address.clone()))
        },
        "address",
    );
    distinct(findings, &tenants, |(tenant, names)| Some((tenant.name.clone(), names.name.clone())), "name");
    no_conflicts(findings, &tenants);

    Some(Config {
        proxy,
        log,
        listeners: listeners.into_iter().map(|(listener, _)| listener).collect(),
        tenants: tenants.into_iter().map(|(tenant, _)| tenant).collect(),
    })
}

fn list<'t, T>(root: &mut Section<'t>, key: &'static str, read: impl Fn(Section<'t>) -> Option<T>) -> Vec<T> {
    let missing = format!("is missing: there must be at least one `[[{key}]]`");
    root.tables(key, &missing).into_iter().filter_map(read).collect()
}

/// Reports what is there twice, naming the line of the first.
fn distinct<T>(findings: &Findings<'_>, items: &[T], value: impl Fn(&T) -> Option<(String, Placed<()>)>, what: &str) {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for (value, place) in items.iter().filter_map(value) {
        match seen.get(&value) {
            Some(first) => {
                findings.add_at(&place, format!("the {what} `{value}` is taken already, in line {first}"));
            }
            None => drop(seen.insert(value, findings.line(place.offset))),
        }
    }
}

/// Reports hostnames that two tenants, or one tenant twice, claim.
fn no_conflicts(findings: &Findings<'_>, tenants: &[(crate::config::TenantConfig, tenant::Places)]) {
    let mut owners: HashMap<&HostPattern, &str> = HashMap::new();
    for (tenant, places) in tenants {
        for (pattern, place) in tenant.hostnames.iter().zip(&places.hostnames) {
            match owners.get(pattern) {
                Some(owner) if *owner == tenant.name => findings.add_at(place, format!("`{pattern}` is there twice")),
                Some(owner) => {
                    let name = &tenant.name;
                    let message = format!("tenant `{name}` claims `{pattern}`, which tenant `{owner}` has already");
                    findings.add_at(place, message);
                }
                None => drop(owners.insert(pattern, &tenant.name)),
            }
        }
    }
}
