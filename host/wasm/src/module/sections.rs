//! The sizes of a module's parts, by what they hold.

use serde::Serialize;
use wasmparser::{Parser, Payload};

/// Bytes of a module file. All core modules of a component are added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Sections {
    pub code: u64,
    pub data: u64,
    /// Names of functions, and debug information.
    pub debug: u64,
    /// Custom sections other than those.
    pub custom: u64,
    /// Everything else: types, imports, exports, tables, and the component around the core modules.
    pub other: u64,
}

impl Sections {
    /// Reads a component or a core module. What cannot be read counts as `other`.
    pub fn of(module: &[u8]) -> Sections {
        let mut sections = Sections::default();
        let size = |range: std::ops::Range<usize>| u64::try_from(range.len()).unwrap_or(u64::MAX);
        for payload in Parser::new(0).parse_all(module) {
            let (kind, bytes) = match payload {
                Err(_) => break,
                Ok(Payload::CodeSectionStart { range, .. }) => (&mut sections.code, size(range)),
                Ok(Payload::DataSection(data)) => (&mut sections.data, size(data.range())),
                Ok(Payload::CustomSection(custom)) => match custom.name() {
                    name if name == "name" || name.starts_with(".debug_") => {
                        (&mut sections.debug, size(custom.range()))
                    }
                    _ => (&mut sections.custom, size(custom.range())),
                },
                Ok(_) => continue,
            };
            *kind = kind.saturating_add(bytes);
        }
        let Sections { code, data, debug, custom, .. } = sections;
        let known = [code, data, debug, custom].into_iter().fold(0_u64, u64::saturating_add);
        sections.other = u64::try_from(module.len()).unwrap_or(u64::MAX).saturating_sub(known);
        sections
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up_to_the_file() {
        let text = r#"(component
            (core module (memory 1) (data (i32.const 0) "12345678") (func $f (nop)) (@custom "made" "by"))
            (core module (func nop nop nop)))"#;
        let module = wat::parse_str(text).unwrap();
        let sections = Sections::of(&module);
        let Sections { code, data, debug, custom, other } = sections;
        assert!(code > 8 && data > 8 && debug > 0 && custom > 0, "{sections:?}");
        assert_eq!(code + data + debug + custom + other, u64::try_from(module.len()).unwrap());
        assert_eq!(Sections::of(b"no module"), Sections { other: 9, ..Sections::default() });
    }
}
