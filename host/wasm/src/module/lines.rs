//! Debug information (DWARF) made of a source map, for a compiler that has only that. It is a line table: where a
//! decision fails, it has file and line. Functions have the names of the module's name section.

use std::collections::HashMap;

use gimli::write::{Address, AttributeValue, DwarfUnit, EndianVec, LineProgram, LineString, Sections};
use gimli::{Encoding, Format, LineEncoding, LittleEndian};
use serde::Deserialize;
use wasm_encoder::{CustomSection, Encode, Section};
use wasmparser::{Parser, Payload};

/// What is needed of a source map, version 3.
#[derive(Deserialize)]
struct SourceMap {
    sources: Vec<String>,
    mappings: String,
}

/// A place of the module's file from which on a line of a source holds.
struct Mapping {
    offset: i64,
    source: i64,
    line: i64,
}

/// Adds debug information to a core module.
pub fn add_line_table(core: &mut Vec<u8>, source_map: &[u8]) -> anyhow::Result<()> {
    let map: SourceMap = serde_json::from_slice(source_map)?;
    let mappings = mappings(&map.mappings).ok_or_else(|| anyhow::anyhow!("the source map is damaged"))?;
    let mut code = None;
    for payload in Parser::new(0).parse_all(core) {
        if let Payload::CodeSectionStart { range, .. } = payload? {
            code = Some(range);
        }
    }
    let code = code.ok_or_else(|| anyhow::anyhow!("the module has no code"))?;
    let encoding = Encoding { format: Format::Dwarf32, version: 4, address_size: 4 };
    let text = |text: &str| LineString::String(text.as_bytes().to_vec());
    let mut lines = LineProgram::new(encoding, LineEncoding::default(), text("."), None, text("module"), None);
    let (mut files, folder) = (HashMap::new(), lines.default_directory());
    // Addresses are those of DWARF for WebAssembly: they begin with the code section.
    lines.begin_sequence(Some(Address::Constant(0)));
    for Mapping { offset, source, line } in mappings {
        let offset = usize::try_from(offset).ok().filter(|offset| code.contains(offset));
        let name = usize::try_from(source).ok().and_then(|source| map.sources.get(source));
        let (Some(offset), Some(name)) = (offset, name) else { continue };
        let file = *files.entry(name).or_insert_with(|| lines.add_file(text(name), folder, None));
        let row = lines.row();
        row.address_offset = u64::try_from(offset.saturating_sub(code.start))?;
        row.file = file;
        row.line = u64::try_from(line)?;
        lines.generate_row();
    }
    let length = u64::try_from(code.len())?;
    lines.end_sequence(length);
    let mut dwarf = DwarfUnit::new(encoding);
    dwarf.unit.line_program = lines;
    let root = dwarf.unit.root();
    let root = dwarf.unit.get_mut(root);
    root.set(gimli::DW_AT_low_pc, AttributeValue::Address(Address::Constant(0)));
    root.set(gimli::DW_AT_high_pc, AttributeValue::Udata(length));
    let mut sections = Sections::new(EndianVec::new(LittleEndian));
    dwarf.write(&mut sections)?;
    sections.for_each(|id, data| {
        if !data.slice().is_empty() {
            let section = CustomSection { name: id.name().into(), data: data.slice().into() };
            core.push(section.id());
            section.encode(core);
        }
        Ok::<(), gimli::write::Error>(())
    })?;
    Ok(())
}

/// The mappings of the one line that a binary file has, by offset. None: the text is not a list of mappings.
fn mappings(text: &str) -> Option<Vec<Mapping>> {
    let (mut offset, mut source, mut line) = (0_i64, 0_i64, 1_i64);
    let mut found = Vec::new();
    for segment in text.split(',').filter(|segment| !segment.is_empty()) {
        let numbers = numbers(segment)?;
        offset = offset.checked_add(*numbers.first()?)?;
        // A segment of one number is code without a source.
        if let (Some(sources), Some(lines)) = (numbers.get(1), numbers.get(2)) {
            source = source.checked_add(*sources)?;
            line = line.checked_add(*lines)?;
            found.push(Mapping { offset, source, line });
        }
    }
    found.sort_by_key(|mapping| mapping.offset);
    Some(found)
}

/// The numbers of a segment: base 64, five bits a digit, the lowest first, and the sign in the lowest bit of all (VLQ).
fn numbers(segment: &str) -> Option<Vec<i64>> {
    let mut found = Vec::new();
    let (mut value, mut shift) = (0_i64, 0_u32);
    for letter in segment.bytes() {
        let digit = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        value |= i64::from(digit & 31).checked_shl(shift).filter(|_| shift < 60)?;
        shift += 5;
        if digit < 32 {
            found.push(if value & 1 == 0 { value >> 1 } else { -(value >> 1) });
            (value, shift) = (0, 0);
        }
    }
    (shift == 0).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_a_source_map() {
        assert_eq!(numbers("AAgBC"), Some(vec![0, 0, 16, 1]));
        assert_eq!(numbers("D"), Some(vec![-1]));
        assert_eq!(numbers("g"), None);
        assert_eq!(numbers("!"), None);
        assert_eq!(numbers(&"g".repeat(100)), None);
    }

    #[test]
    fn lines_of_two_files_are_in_the_module() {
        let mut core = wat::parse_str("(module (func unreachable) (func unreachable))").unwrap();
        let map = br#"{"version": 3, "sources": ["a.ts", "b.ts"], "mappings": "wBAAA,ICEA"}"#;
        add_line_table(&mut core, map).unwrap();
        wasmparser::validate(&core).unwrap();
        let sections = Parser::new(0).parse_all(&core).filter_map(|payload| match payload.unwrap() {
            Payload::CustomSection(section) => Some((section.name().to_owned(), section.data().to_vec())),
            _ => None,
        });
        let sections: HashMap<_, _> = sections.collect();
        let lines = &sections[".debug_line"];
        for name in ["a.ts", "b.ts"] {
            assert!(lines.windows(name.len()).any(|window| window == name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn a_damaged_source_map_is_an_error() {
        let mut core = wat::parse_str("(module (func unreachable))").unwrap();
        assert!(add_line_table(&mut core, br#"{"sources": [], "mappings": "!"}"#).is_err());
        assert!(add_line_table(&mut core, b"").is_err());
    }
}
