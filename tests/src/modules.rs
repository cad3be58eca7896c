//! Modules for tests: the real examples, and modules in WAT for behaviour that no toolchain would produce.

use std::path::PathBuf;

use tempfile::{Builder, NamedTempFile};
use wit_component::StringEncoding;
use wit_parser::Resolve;

/// The Wasm module of an example, built by `make test` before the tests run.
///
/// # Panics
/// If it has not been built.
pub fn example(name: &str) -> PathBuf {
    let path = repository().join("target/modules").join(format!("{name}.wasm"));
    assert!(path.exists(), "{} is missing: run `make modules`", path.display());
    path
}

/// The root of the repository.
pub fn repository() -> PathBuf {
    let tests = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("a repository around the tests").to_owned()
}

/// A module written in WAT: a core module that exports `select-peer` as the canonical ABI requires.
pub struct Wat {
    body: String,
    pages: u32,
    wit: String,
    world: &'static str,
}

impl Wat {
    /// A router whose `select-peer` has this body. It has one parameter, the request, and results in the address of a
    /// `result<decision, string>`. The request is dropped first, as a function that borrows must do. Below 1024 are
    /// prepared answers: `pass` at 64, an error at 96, a response 200 at 128; `$at` is a global to count with.
    /// Strings and lists that the host passes to the module are placed on the heap, from 4096 on.
    pub fn select_peer(body: &str) -> Wat {
        Wat::core(&format!(
            r#"
            (import "pointsman:router/request@0.1.0" "[resource-drop]request" (func $drop (param i32)))
            (func (export "select-peer") (param $request i32) (result i32) (call $drop (local.get $request)) {body})"#
        ))
    }

    /// A router that answers every request with this status.
    pub fn answering(status: u16) -> Wat {
        Wat::select_peer(&format!("(i32.store16 (i32.const 136) (i32.const {status})) (i32.const 128)"))
    }

    /// A core module with these fields in addition to the memory and the allocator.
    pub fn core(fields: &str) -> Wat {
        Wat { body: fields.to_owned(), pages: 1, wit: String::new(), world: "pointsman:router/router" }
    }

    /// Adds fields of the core module.
    pub fn with(mut self, fields: &str) -> Wat {
        self.body = format!("{fields}\n{}", self.body);
        self
    }

    /// Initial size of the memory, in pages of 64 KiB.
    pub fn pages(mut self, pages: u32) -> Wat {
        self.pages = pages;
        self
    }

    /// Uses the component type from this WIT package, which may include the router's world, instead.
    pub fn world(mut self, wit: &str, world: &'static str) -> Wat {
        self.wit = wit.to_owned();
        self.world = world;
        self
    }

    /// The core module, without its component type.
    pub fn core_bytes(&self) -> Vec<u8> {
        let (pages, body) = (self.pages, &self.body);
        let text = format!(
            r#"(module
                 {imports}
                 (memory (export "memory") {pages})
                 (global $heap (mut i32) (i32.const 4096))
                 (global $at (mut i32) (i32.const 0))
                 (data (i32.const 64) "\00\00\00\00\02")
                 (data (i32.const 96) "\01\00\00\00\00\02\00\00\04\00\00\00")
                 (data (i32.const 128) "\00\00\00\00\01\00\00\00\c8\00")
                 (data (i32.const 512) "oops")
                 (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                   (global.set $heap
                     (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
                   (global.get $heap)
                   (global.set $heap (i32.add (global.get $heap) (local.get 3))))
                 {fields})"#,
            imports = imports(body),
            fields = without_imports(body),
        );
        wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    /// The core module with its component type, as a toolchain produces it.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.core_bytes();
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_dir(repository().join("wit/0.1")).expect("the WIT package");
        let package = match self.wit.is_empty() {
            true => package,
            false => resolve.push_str("test.wit", &self.wit).expect("the test's WIT package"),
        };
        let world = resolve.select_world(&[package], Some(self.world)).expect("the world");
        wit_component::embed_component_metadata(&mut bytes, &resolve, world, StringEncoding::UTF8)
            .expect("the component type goes in");
        bytes
    }

    /// The module as a component.
    pub fn component(&self) -> Vec<u8> {
        wit_component::ComponentEncoder::default()
            .module(&self.bytes())
            .and_then(|mut encoder| encoder.encode())
            .expect("a component")
    }

    /// A file with the module, which exists as long as the result is held.
    pub fn file(&self) -> NamedTempFile {
        module_file(&self.bytes())
    }
}

/// A tenant's module file that is replaced while a proxy watches it.
pub struct Live {
    folder: tempfile::TempDir,
}

impl Live {
    pub fn new(module: &Wat) -> Live {
        Live::of(&module.bytes())
    }

    pub fn of(bytes: &[u8]) -> Live {
        let live = Live { folder: tempfile::tempdir().expect("a folder") };
        std::fs::write(live.path(), bytes).expect("the module is written");
        live
    }

    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub fn path(&self) -> PathBuf {
        self.folder().join("router.wasm")
    }

    /// Replaces its content atomically.
    pub fn replace(&self, bytes: &[u8]) {
        let new = self.folder().join("router.wasm.new");
        std::fs::write(&new, bytes).expect("the module is written");
        std::fs::rename(new, self.path()).expect("the module is replaced");
    }

    /// The file of tests next to the module.
    pub fn tests(&self, json: &str) {
        std::fs::write(self.folder().join("router.tests.json"), json).expect("the tests are written");
    }
}

/// A file with these bytes, which exists as long as the result is held.
pub fn module_file(bytes: &[u8]) -> NamedTempFile {
    let file = Builder::new().suffix(".wasm").tempfile().expect("a file");
    std::fs::write(file.path(), bytes).expect("the module is written");
    file
}

/// WAT requires imports first; in the tests they are separate lines that start with `(import`.
fn imports(fields: &str) -> String {
    fields.lines().filter(|line| line.trim_start().starts_with("(import")).collect::<Vec<_>>().join("\n")
}

fn without_imports(fields: &str) -> String {
    fields.lines().filter(|line| !line.trim_start().starts_with("(import")).collect::<Vec<_>>().join("\n")
}
