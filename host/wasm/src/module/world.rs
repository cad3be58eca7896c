//! Checks by names that a component is a router, so that each mistake has a message of its own. Wasmtime compares the
//! types.

use wasmtime::component::types::ComponentItem;

use crate::module::LoadError;
use crate::wasi;

/// Versions of the package `pointsman:router` that this host supports.
pub const SUPPORTED: [&str; 1] = ["0.1.0"];

/// Interfaces that a module may import.
pub const INTERFACES: [&str; 8] = ["types", "request", "log", "config", "shared", "upstreams", "clock", "random"];

/// The export that makes a component a router.
pub const EXPORT: &str = pointsman_rewind::DECIDES;

/// The optional export that takes a module's configuration.
pub const CONFIGURE: &str = "configure";

const PACKAGE: &str = "pointsman:router/";

/// Whether the host has to provide an import. Imported types only declare what `use` brings into the world; only
/// instances and functions come from the host.
pub fn needs_host(item: &ComponentItem) -> bool {
    !matches!(item, ComponentItem::Type(_) | ComponentItem::Resource(_))
}

/// Whether an import is the interface of this name.
pub fn is_interface(import: &str, name: &str) -> bool {
    let interface = import.strip_prefix(PACKAGE).unwrap_or_default();
    interface.split('@').next() == Some(name)
}

/// Checks the names of a component's imports and exports.
pub fn check_names<'a>(
    imports: impl Iterator<Item = &'a str>,
    exports: impl Iterator<Item = &'a str>,
) -> Result<(), LoadError> {
    for import in imports {
        check_import(import)?;
    }
    let exports: Vec<&str> = exports.collect();
    if exports.contains(&EXPORT) {
        return Ok(());
    }
    let found = match exports.is_empty() {
        true => "none".to_owned(),
        false => exports.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    };
    Err(LoadError::MissingExport { export: EXPORT, found })
}

fn check_import(import: &str) -> Result<(), LoadError> {
    if wasi::interface(import).is_some() {
        return Ok(());
    }
    if let Some(remedy) = wasi::remedy(import) {
        return Err(LoadError::Wasi { import: import.to_owned(), remedy });
    }
    let Some(rest) = import.strip_prefix(PACKAGE) else {
        return Err(LoadError::UnknownImport { import: import.to_owned() });
    };
    let (interface, version) = rest.split_once('@').unwrap_or((rest, ""));
    if !SUPPORTED.iter().any(|supported| same_track(supported, version)) {
        return Err(LoadError::UnsupportedVersion { found: format!("pointsman:router@{version}") });
    }
    if !INTERFACES.contains(&interface) {
        return Err(LoadError::UnknownImport { import: import.to_owned() });
    }
    Ok(())
}

/// Whether a module built against `version` runs on `supported`: versions 0.1.x are compatible with each other, by
/// semantic versioning and by Wasmtime's linking.
fn same_track(supported: &str, version: &str) -> bool {
    let minor = |version: &str| version.split('.').take(2).map(str::to_owned).collect::<Vec<_>>();
    minor(supported) == minor(version) && version.split('.').count() == 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(imports: &[&str], exports: &[&str], expected: Result<(), &str>) {
        let result = check_names(imports.iter().copied(), exports.iter().copied()).map_err(|error| error.to_string());
        match (result, expected) {
            (Ok(()), Ok(())) => {}
            (Err(message), Err(part)) => assert!(message.contains(part), "{message}"),
            (result, expected) => panic!("{result:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn a_router_passes() {
        check(&["pointsman:router/request@0.1.0", "pointsman:router/log@0.1.0"], &["select-peer"], Ok(()));
        check(&[], &["memory", "select-peer"], Ok(()));
    }

    #[test]
    fn a_later_patch_of_the_same_version_passes() {
        check(&["pointsman:router/request@0.1.7"], &["select-peer"], Ok(()));
    }

    #[test]
    fn another_version_is_refused_with_those_supported() {
        check(&["pointsman:router/request@0.2.0"], &["select-peer"], Err("supports `pointsman:router@0.1.0`"));
        check(&["pointsman:router/request"], &["select-peer"], Err("built against `pointsman:router@`"));
    }

    #[test]
    fn unsupported_wasi_is_refused_with_a_remedy() {
        check(&["wasi:cli/environment@0.2.0", "wasi:io/streams@0.2.9"], &["select-peer"], Ok(()));
        check(
            &["wasi:http/types@0.2.0"],
            &["select-peer"],
            Err("`wasi:http/types@0.2.0`: the only WASI for modules is"),
        );
    }

    #[test]
    fn an_unknown_import_is_refused_by_name() {
        check(&["acme:db/store@1.0.0"], &["select-peer"], Err("`acme:db/store@1.0.0`, which this host does not offer"));
        check(&["pointsman:router/sockets@0.1.0"], &["select-peer"], Err("`pointsman:router/sockets@0.1.0`"));
    }

    #[test]
    fn a_missing_export_is_refused_with_those_found() {
        check(&[], &["run"], Err("its exports: `run`"));
        check(&[], &[], Err("its exports: none"));
    }
}
