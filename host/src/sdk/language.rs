//! The languages that have an SDK.

use clap::ValueEnum;

/// Languages that have an SDK.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Language {
    Rust,
    C,
    /// C++
    #[value(alias = "c++")]
    Cpp,
    Zig,
    Go,
    /// JavaScript
    #[value(alias = "javascript")]
    Js,
    /// TypeScript
    #[value(alias = "typescript")]
    Ts,
    Python,
    /// AssemblyScript
    #[value(alias = "assemblyscript")]
    As,
}

impl Language {
    /// The name for `--lang`, and of the SDK's folder.
    pub fn short(self) -> &'static str {
        match self {
            Language::Rust => "rust",
            Language::C => "c",
            Language::Cpp => "cpp",
            Language::Zig => "zig",
            Language::Go => "go",
            Language::Js => "js",
            Language::Ts => "ts",
            Language::Python => "python",
            Language::As => "as",
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Language::Rust => "Rust",
            Language::C => "C",
            Language::Cpp => "C++",
            Language::Zig => "Zig",
            Language::Go => "Go",
            Language::Js => "JavaScript",
            Language::Ts => "TypeScript",
            Language::Python => "Python",
            Language::As => "AssemblyScript",
        }
    }
}
