//! Builds JavaScript and TypeScript routers: the SDK's own build, which bundles the router with an engine.

use std::process::Command;

use anyhow::{anyhow, bail};
use clap::ValueEnum;

use crate::cli::build::project::{Project, run};
use crate::cli::build::tools::{Oldest, Registry, Tool, Tools, Version, in_path};
use crate::cli::build::{Built, made};
use crate::sdk::Language;

/// The engine that runs a router in JavaScript or TypeScript.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Engine {
    /// QuickJS, for speed: 1.9 MB
    #[default]
    #[value(name = "quickjs")]
    QuickJs,
    /// QuickJS, for size: 1.3 MB, a fifth slower
    #[value(name = "quickjs-small")]
    QuickJsSmall,
    /// StarlingMonkey, Firefox's: 12 MB, loads in many seconds
    #[value(name = "starlingmonkey")]
    StarlingMonkey,
}

const ESBUILD: Tool = npm("esbuild", &["esbuild@0.28.2"]);
const QUICKJS: Tool = npm("componentize-qjs", &["componentize-qjs@0.4.5"]);
// The first imports the second, and does not depend on it.
const STARLINGMONKEY: Tool =
    npm("componentize-js", &["@bytecodealliance/componentize-js@0.23.0", "@bytecodealliance/preview2-shim@0.25.0"]);
const TYPESCRIPT: Tool = npm("tsc", &["typescript@7.0.2"]);

const fn npm(program: &'static str, packages: &'static [&'static str]) -> Tool {
    Tool { program, from: Registry::Npm, packages, oldest: None, home: "your project's own node_modules" }
}

const NODE: Oldest = Oldest { version: Version(20, 6), argument: "--version" };

pub fn build(project: &Project, tools: &Tools, engine: Option<Engine>) -> anyhow::Result<Built> {
    let (Some(node), Some(_)) = (in_path("node"), in_path("npm")) else {
        bail!("node and npm are not in PATH. Get Node.js {} or later from https://nodejs.org", NODE.version);
    };
    NODE.check(&[node.into()]).map_err(|why| anyhow!("{why:#}. Get Node.js from https://nodejs.org"))?;
    let engine = engine.unwrap_or_default();
    let componentizer = match engine {
        Engine::QuickJs | Engine::QuickJsSmall => QUICKJS,
        Engine::StarlingMonkey => STARLINGMONKEY,
    };
    let (name, types) = match project.language {
        Language::Ts => ("router.ts", Some(TYPESCRIPT)),
        _ => ("router.js", None),
    };
    for tool in [ESBUILD, componentizer].iter().chain(&types) {
        tools.provide(tool, &project.folder)?;
    }
    let (entry, component) = (project.source(name)?, project.between("router.wasm"));
    let engine = engine.to_possible_value();
    let mut node = Command::new("node");
    node.current_dir(&project.folder)
        .arg(project.sdk.join("build.mjs"))
        .arg(entry)
        .arg("--output")
        .arg(&component)
        .arg("--wit")
        .arg(&project.wit)
        .arg("--tools")
        .arg(tools.folder(Registry::Npm))
        .args(engine.iter().flat_map(|engine| ["--engine", engine.get_name()]));
    run(&format!("bundling {name} with {}", componentizer.program), &mut node)?;
    Ok(Built::Component(made(&component)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of `guest-sdk`, in which every version has to be the one that `--get-tools` gets.
    macro_rules! sdk {
        ($path:literal) => {
            include_str!(concat!("../../../../guest-sdk/", $path))
        };
    }

    #[test]
    fn every_page_and_script_names_the_versions_that_are_installed() {
        let tools = sdk!("js/build/tools.mjs");
        for tool in [ESBUILD, QUICKJS, STARLINGMONKEY, TYPESCRIPT] {
            let packages = tool.packages.join(" ");
            assert!(tools.contains(&format!("'{packages}'")), "tools.mjs has not {packages}");
        }
        for (template, tools) in [
            (sdk!("js/template/package.json.template"), &[ESBUILD, QUICKJS][..]),
            (sdk!("ts/template/package.json.template"), &[ESBUILD, QUICKJS, TYPESCRIPT]),
        ] {
            for package in tools.iter().flat_map(|tool| tool.packages) {
                let line = format!("\"{}\"", package.replace('@', "\": \""));
                assert!(template.contains(&line), "{template} has not {line}");
            }
        }
    }
}
