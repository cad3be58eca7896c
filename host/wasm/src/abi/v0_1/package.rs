//! The WIT package: its files, and its form as one file.

use anyhow::anyhow;
use wasm_encoder::{ComponentSection as _, CustomSection};
use wit_parser::{PackageId, Resolve, SourceMap};

/// The files of the WIT package: name and text.
pub const WIT: [(&str, &str); 9] = [
    ("clock.wit", include_str!("../../../../../wit/0.1/clock.wit")),
    ("config.wit", include_str!("../../../../../wit/0.1/config.wit")),
    ("log.wit", include_str!("../../../../../wit/0.1/log.wit")),
    ("random.wit", include_str!("../../../../../wit/0.1/random.wit")),
    ("request.wit", include_str!("../../../../../wit/0.1/request.wit")),
    ("shared.wit", include_str!("../../../../../wit/0.1/shared.wit")),
    ("types.wit", include_str!("../../../../../wit/0.1/types.wit")),
    ("upstreams.wit", include_str!("../../../../../wit/0.1/upstreams.wit")),
    ("world.wit", include_str!("../../../../../wit/0.1/world.wit")),
];

/// What registries show of the package.
const ABOUT: [(&str, &str); 2] = [
    ("description", "The contract between the reverse proxy Pointsman and the modules that route for it"),
    ("licenses", env!("CARGO_PKG_LICENSE")),
];

pub(crate) fn resolved_wit() -> Result<(Resolve, PackageId), String> {
    let mut files = SourceMap::default();
    for (name, text) in WIT {
        files.push_str(name, text);
    }
    let group = files.parse().map_err(|(_, error)| error.to_string())?;
    let mut resolve = Resolve::default();
    let package = resolve.push_group(group).map_err(|error| error.to_string())?;
    Ok((resolve, package))
}

/// The package as one WebAssembly file, the form that registries of components take.
pub fn encoded_wit() -> anyhow::Result<Vec<u8>> {
    let (resolve, package) = resolved_wit().map_err(|error| anyhow!(error))?;
    let mut bytes = wit_component::encode(&resolve, package)?;
    for (name, text) in ABOUT {
        CustomSection { name: name.into(), data: text.as_bytes().into() }.append_to_component(&mut bytes);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn encoded_package_has_the_worlds_the_comments_and_what_registries_show() {
        let bytes = encoded_wit().expect("encoded");
        let decoded = wit_component::decode(&bytes).expect("decoded");
        let (resolve, package) = (decoded.resolve(), decoded.package());
        assert_eq!(resolve.packages[package].name.to_string(), "pointsman:router@0.1.0");
        let worlds: BTreeSet<&str> = resolve.packages[package].worlds.keys().map(String::as_str).collect();
        assert_eq!(worlds, BTreeSet::from(["configured", "configured-router", "router"]));
        let docs = resolve.worlds.iter().filter(|(_, world)| world.name == "router");
        assert!(docs.into_iter().any(|(_, world)| world.docs.contents.is_some()));
        for (name, text) in ABOUT {
            let payloads = wasmparser::Parser::new(0).parse_all(&bytes).map(|payload| payload.expect("valid"));
            let found = payloads.into_iter().any(|payload| {
                matches!(payload, wasmparser::Payload::CustomSection(section)
                    if section.name() == name && section.data() == text.as_bytes())
            });
            assert!(found, "{name}");
        }
    }

    #[test]
    fn wit_package_is_complete() {
        let names: Vec<&str> = WIT.map(|(name, _)| name).to_vec();
        for name in ["types.wit", "request.wit", "world.wit"] {
            assert!(names.contains(&name), "{names:?}");
        }
        let files = std::fs::read_dir("../../wit/0.1").expect("the folder");
        let files = files.map(|file| file.expect("a file").file_name().into_string().expect("a name"));
        assert_eq!(files.collect::<BTreeSet<_>>(), names.into_iter().map(str::to_owned).collect());
    }
}
