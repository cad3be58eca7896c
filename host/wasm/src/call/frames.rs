//! The guest's frames at the moment of a failure: those of the author's code, innermost first.
//!
//! Functions have names if the module kept them, and files and lines if it has debug information and the engine reads
//! that (`pointsman build --debug`, and the commands that work offline).

use std::fmt::{self, Write as _};
use std::path::Path;

use wasmtime::{FrameInfo, WasmBacktrace};

/// Frames that are kept.
const MOST: usize = 10;

/// Longest name that is demangled, and longest result, in bytes. Names come from the module, and a short mangled name
/// may stand for a very long one.
const LONGEST_NAME: usize = 512;

/// Names of functions that call the author's code begin so: Go's scheduler and its bindings. What called those is the
/// runtime's, whatever its name.
const ENTRIES: &[&str] = &["wasm_pc_f_loop", "pointsman.dev_pointsman_internal_gen_exports"];

/// Names of an interpreter's functions begin so: the author's are not among the frames.
const INTERPRETERS: &[&str] = &["_PyEval_"];

/// Names of functions that made a component of the module begin so.
const ENCODERS: &[&str] = &["select-peer", "pointsman:", "indirect-", "adapt-"];

/// The frames of a failed call. Empty if the module has no names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frames(Vec<Frame>);

/// A function of the module, and the place in it if that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Frame {
    function: String,
    /// `file:line`
    place: Option<String>,
}

impl Frames {
    /// The frames of an error that Wasmtime reports. Where all of them are the runtime's, these.
    pub fn of(error: &wasmtime::Error) -> Frames {
        let Some(trace) = error.downcast_ref::<WasmBacktrace>() else { return Frames::default() };
        let folder = std::env::current_dir().ok();
        let frame_of = |name: &str, file, line| Frame::new(name, file, line, folder.as_deref());
        let is_one_of = |frame: &FrameInfo, names: &[&str]| {
            frame.func_name().is_some_and(|name| names.iter().any(|start| name.starts_with(start)))
        };
        if trace.frames().iter().any(|frame| is_one_of(frame, INTERPRETERS)) {
            return Frames::default();
        }
        let authors = trace.frames().iter().take_while(|frame| !is_one_of(frame, ENTRIES));
        let all = authors.filter(|frame| !is_one_of(frame, ENCODERS)).flat_map(|frame| {
            let symbols = frame.symbols().iter();
            let mut inlined: Vec<Frame> = symbols
                .filter_map(|symbol| frame_of(symbol.name().or(frame.func_name())?, symbol.file(), symbol.line()))
                .collect();
            if inlined.is_empty() {
                inlined.extend(frame.func_name().and_then(|name| frame_of(name, None, None)));
            }
            inlined
        });
        let (authors, runtimes): (Vec<_>, Vec<_>) = all.partition(|frame| !frame.is_of_runtime());
        let mut frames = if authors.is_empty() { runtimes } else { authors };
        // Recursion is named once. Of a function that is called again, the start may have no line.
        frames.dedup_by(|outer, inner| {
            if inner.place.is_none() && inner.function == outer.function {
                inner.place = outer.place.take();
                return true;
            }
            inner == outer
        });
        frames.truncate(MOST);
        Frames(frames)
    }
}

impl fmt::Display for Frames {
    /// As an addition to a sentence: `, in f (src/lib.rs:3) < g (src/lib.rs:9)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, Frame { function, place }) in self.0.iter().enumerate() {
            f.write_str(if number == 0 { ", in " } else { " < " })?;
            match place {
                Some(place) => write!(f, "{function} ({place})")?,
                None => f.write_str(function)?,
            }
        }
        Ok(())
    }
}

impl Frame {
    /// The file is shown relative to the folder.
    fn new(name: &str, file: Option<&str>, line: Option<u32>, folder: Option<&Path>) -> Option<Frame> {
        let place = file.map(|file| match line {
            Some(line) => format!("{}:{line}", shown(file, folder)),
            None => shown(file, folder),
        });
        let function = demangled(name);
        (!function.is_empty()).then_some(Frame { function, place })
    }

    /// Whether the function belongs to a language's runtime, to its library, or to an SDK.
    fn is_of_runtime(&self) -> bool {
        /// Names begin so: Rust; C, C++; Zig; Go; AssemblyScript; the SDKs; older WASI.
        const FUNCTIONS: &[&str] = &[
            "core::",
            "std::",
            "alloc::",
            "<core::",
            "<std::",
            "<alloc::",
            "rust_",
            "__rust",
            "__rdl",
            "__rg",
            "dlmalloc",
            "abort",
            "__assert",
            "__wasi",
            "__wasm",
            "_start",
            "_initialize",
            "__cxa",
            "operator ",
            "builtin.",
            "std.",
            "debug.",
            "runtime.",
            "internal/",
            "_rt0",
            "go:",
            "syscall.Exit",
            "os.Exit",
            "~lib/",
            "pointsman_guest::",
            "<pointsman_guest::",
            "pointsman.",
            "pointsman::",
            "pointsman/",
            "cabi_",
            "exports_",
            "assembly/exports/",
            "wasi_snapshot_preview1::",
            "proc_exit",
        ];
        /// Parts of the paths of files.
        const FILES: &[&str] = &[
            "/rustc/",
            "/rustlib/",
            "rust/library/",
            "registry/",
            "/ziglang/lib/",
            "/zig/lib/",
            "/go/src/",
            "pointsman/src/",
        ];
        let is_runtimes =
            |place: &String| place.starts_with("pointsman/") || FILES.iter().any(|part| place.contains(part));
        FUNCTIONS.iter().any(|start| self.function.starts_with(start)) || self.place.as_ref().is_some_and(is_runtimes)
    }
}

/// A file of the build machine, relative to the folder if it is below that.
fn shown(file: &str, folder: Option<&Path>) -> String {
    let path = Path::new(file.trim_start_matches("./"));
    let relative = folder.and_then(|folder| path.strip_prefix(folder).ok());
    Bounded::of(relative.unwrap_or(path).display())
}

/// The name as an author writes it, on one line.
fn demangled(name: &str) -> String {
    if name.len() <= LONGEST_NAME {
        if let Ok(rust) = rustc_demangle::try_demangle(name) {
            // Without the hash of the crate.
            return Bounded::of(format_args!("{rust:#}"));
        }
        // Without its prefix, a name could be read as that of a type.
        if let Some(Ok(cpp)) = name.starts_with("_Z").then(|| cpp_demangle::Symbol::new(name)) {
            let mut text = Bounded::default();
            let options = cpp_demangle::DemangleOptions::new().no_params().no_return_type();
            let _ = cpp.structured_demangle(&mut CppName(&mut text), &options);
            return text.0;
        }
    }
    Bounded::of(name)
}

/// A text without control characters that ends at [`LONGEST_NAME`]: beyond that, writing fails, which ends demangling.
#[derive(Default)]
struct Bounded(String);

impl Bounded {
    fn of(text: impl fmt::Display) -> String {
        let mut bounded = Bounded::default();
        // It fails where the text is cut.
        let _ = write!(bounded, "{text}");
        bounded.0
    }
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for letter in text.chars() {
            if self.0.len() >= LONGEST_NAME {
                return Err(fmt::Error);
            }
            self.0.push(if letter.is_control() { ' ' } else { letter });
        }
        Ok(())
    }
}

struct CppName<'a>(&'a mut Bounded);

impl cpp_demangle::DemangleWrite for CppName<'_> {
    fn write_string(&mut self, text: &str) -> fmt::Result {
        self.0.write_str(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_demangled() {
        for (name, expected) in [
            ("_ZN4shop5route17h0123456789abcdefE", "shop::route"),
            ("_RNvCs1234_4shop5route", "shop::route"),
            ("_ZN5table6lookupEi", "table::lookup"),
            ("main.lookup", "main.lookup"),
            ("a\nb", "a b"),
        ] {
            assert_eq!(demangled(name), expected, "{name}");
        }
        assert_eq!(demangled(&"x".repeat(10_000)).len(), LONGEST_NAME);
    }

    #[test]
    fn frames_of_the_author_are_told_from_the_runtimes() {
        let is_runtimes =
            |name: &str, file: Option<&str>| Frame::new(name, file, Some(1), None).unwrap().is_of_runtime();
        for (name, file) in [
            ("core::panicking::panic_fmt", None),
            ("runtime.panicIndex", None),
            ("~lib/array/Array<i32>#__get", None),
            ("lookup", Some("/rustc/0123/library/core/src/option.rs")),
            ("pm_lookup", Some("./pointsman/module.c")),
            ("index<u32>", Some("./rust/library/core/src/slice/index.rs")),
        ] {
            assert!(is_runtimes(name, file), "{name}");
        }
        for (name, file) in [("shop::route", Some("src/lib.rs")), ("main.route", None), ("router/route", None)] {
            assert!(!is_runtimes(name, file), "{name}");
        }
    }

    #[test]
    fn text_continues_a_sentence() {
        let frame = |name: &str, line| Frame::new(name, Some("src/lib.rs"), line, None).unwrap();
        let frames = Frames(vec![frame("f", Some(3)), frame("g", None)]);
        assert_eq!(frames.to_string(), ", in f (src/lib.rs:3) < g (src/lib.rs)");
        assert_eq!(Frames::default().to_string(), "");
    }
}
