//! The format of a tenant's file in `proxy.state_dir`: JSON whose last member is the SHA-256 of all lines before it.
//!
//! ```json
//! {
//!   "format": 1,
//!   "last_number": 2,
//!   ...
//!   "sha256": "0ea5…"
//! }
//! ```
//!
//! `head -n -2 NAME.json | sha256sum` gives the same digest. Programs older than `format` and `sha256` ignore them, and
//! their files, which have neither, can still be read.

use pointsman_wasm::module::Digest;
use serde::Deserialize;

use crate::versions::SavedState;

/// Changes when a program that reads the old format would misread the new one.
const FORMAT: u64 = 1;

/// The text around the checksum's digits, at the end of a file.
const BEFORE_SUM: &[u8] = b"  \"sha256\": \"";
const AFTER_SUM: &[u8] = b"\"\n}\n";
const SUM_DIGITS: usize = 64;

/// A state file that cannot be trusted.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    #[error("it is empty")]
    Empty,
    #[error("its checksum is missing at its end: it was cut off, damaged or edited")]
    NoChecksum,
    #[error("it does not match its checksum: it was damaged or edited")]
    Checksum,
    #[error("its `format` is {found}, and this program reads {FORMAT}: another version of it wrote the file")]
    Format { found: u64 },
    #[error("it is not the state of a tenant: {message}")]
    Content { message: String },
}

/// The part that every format has.
#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    format: Option<u64>,
}

pub fn encode(saved: &SavedState) -> Result<Vec<u8>, Damage> {
    let text = serde_json::to_string_pretty(saved).map_err(content)?;
    let members = text.strip_prefix('{').and_then(|text| text.strip_suffix("\n}"));
    let members = members.ok_or(Damage::Content { message: "it has no members".to_owned() })?;
    let mut file = format!("{{\n  \"format\": {FORMAT},{members},\n").into_bytes();
    let sum = Digest::of(&file).full();
    file.extend([BEFORE_SUM, sum.as_bytes(), AFTER_SUM].concat());
    Ok(file)
}

pub fn decode(file: &[u8]) -> Result<SavedState, Damage> {
    if file.is_empty() {
        return Err(Damage::Empty);
    }
    let sealed = sealed(file);
    if sealed.is_some_and(|(lines, sum)| Digest::of(lines).full().as_bytes() != sum) {
        return Err(Damage::Checksum);
    }
    let Head { format } = serde_json::from_slice(file).map_err(content)?;
    match (format, sealed) {
        (Some(FORMAT), Some(_)) => serde_json::from_slice(file).map_err(content),
        (Some(FORMAT), None) => Err(Damage::NoChecksum),
        (None, None) => {
            let saved: SavedState = serde_json::from_slice(file).map_err(content)?;
            Ok(SavedState { lacks_checksum: true, ..saved })
        }
        (found, _) => Err(Damage::Format { found: found.unwrap_or_default() }),
    }
}

/// Splits a file into the lines that its checksum covers and the checksum's digits. None: it has no checksum.
fn sealed(file: &[u8]) -> Option<(&[u8], &[u8])> {
    let (lines, sum) = file.strip_suffix(AFTER_SUM)?.split_last_chunk::<SUM_DIGITS>()?;
    Some((lines.strip_suffix(BEFORE_SUM)?, sum))
}

fn content(error: serde_json::Error) -> Damage {
    Damage::Content { message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::*;
    use crate::api::Origin;
    use crate::versions::{Entry, VersionStatus};

    fn state() -> SavedState {
        let entry = |number, status| Entry {
            number,
            modules: vec![Digest::of(&[1])],
            origin: Origin::Upload,
            made: Utc::now(),
            status,
            since: Utc::now(),
            version: None,
        };
        let versions = vec![entry(1, VersionStatus::Replaced), entry(2, VersionStatus::Live)];
        SavedState { last_number: 2, versions, drained: true, ..SavedState::default() }
    }

    fn live(file: &[u8]) -> Result<u64, String> {
        let saved = decode(file).map_err(|error| error.to_string())?;
        saved.live().map(|entry| entry.number).ok_or_else(|| "no live version".to_owned())
    }

    #[test]
    fn file_is_json_that_plain_tools_can_check() {
        let file = encode(&state()).expect("a file");
        assert_eq!(live(&file), Ok(2));
        assert!(!decode(&file).expect("readable").lacks_checksum);
        let text = String::from_utf8(file).expect("text");
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        // The same lines as `head -n -2` prints.
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let before = lines[..lines.len() - 2].concat();
        assert_eq!(value["sha256"], Digest::of(before.as_bytes()).full());
        assert_eq!((&value["format"], &value["drained"]), (&1.into(), &true.into()));
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let file = encode(&state()).expect("a file");
        for at in 0..file.len() {
            for bit in 0..8 {
                let mut damaged = file.clone();
                damaged[at] ^= 1 << bit;
                assert!(decode(&damaged).is_err(), "bit {bit} of byte {at}");
            }
        }
    }

    #[test]
    fn truncated_file_is_refused_at_every_length() {
        let file = encode(&state()).expect("a file");
        for length in 0..file.len() {
            assert!(decode(&file[..length]).is_err(), "after {length} bytes");
        }
        assert_eq!(live(b""), Err("it is empty".to_owned()));
        assert_eq!(
            live(&[0; 4096]),
            Err("it is not the state of a tenant: expected value at line 1 column 1".to_owned())
        );
        for more in ["\n", " ", "}", "{}", "\0"] {
            assert!(decode(&[&file, more.as_bytes()].concat()).is_err(), "with {more:?} after it");
        }
    }

    #[test]
    fn file_without_a_checksum_of_an_older_release_is_read() {
        let old = serde_json::to_vec_pretty(&state()).expect("a file");
        assert_eq!(live(&old), Ok(2));
        assert!(decode(&old).expect("readable").lacks_checksum);
        assert!(decode(&old[..old.len() / 2]).is_err());
        // Those older programs also read the new format.
        let new: SavedState = serde_json::from_slice(&encode(&state()).expect("a file")).expect("readable");
        assert_eq!(new.live().map(|entry| entry.number), Some(2));
    }

    #[test]
    fn state_and_reason_have_the_words_of_the_format() {
        let mut saved = state();
        saved.versions[0].status = VersionStatus::RolledBack { reason: "x".to_owned() };
        let file = encode(&saved).expect("a file");
        let value: serde_json::Value = serde_json::from_slice(&file).expect("JSON");
        assert_eq!(value["versions"][0]["standing"]["rolled-back"]["because"], "x");
        assert_eq!(value["versions"][1]["standing"], "live");
        assert_eq!(decode(&file).expect("readable").versions[0].status, saved.versions[0].status);
    }

    #[test]
    fn file_of_another_format_is_refused() {
        let text = String::from_utf8(encode(&state()).expect("a file")).expect("text");
        let (lines, _) = sealed(text.as_bytes()).expect("a checksum");
        let lines = String::from_utf8_lossy(lines);
        for (format, found) in [("2", 2), ("0", 0)] {
            let lines = lines.replace("\"format\": 1", &format!("\"format\": {format}"));
            let sum = Digest::of(lines.as_bytes()).full();
            let file = [lines.as_bytes(), BEFORE_SUM, sum.as_bytes(), AFTER_SUM].concat();
            let expected =
                format!("its `format` is {found}, and this program reads 1: another version of it wrote the file");
            assert_eq!(live(&file), Err(expected));
        }
        let unsealed = serde_json::json!({"format": 1, "last_number": 1}).to_string();
        assert_eq!(
            live(unsealed.as_bytes()),
            Err("its checksum is missing at its end: it was cut off, damaged or edited".to_owned())
        );
    }
}
