//! `wit/0.1`. One file for each interface that the host implements.

mod bindings;
mod clock;
mod config;
mod convert;
mod entry;
mod log;
mod random;
mod request;
mod shared;
mod subject;
mod upstreams;

#[cfg(test)]
pub(crate) use bindings::pointsman::router::types;
pub(crate) use bindings::{Router, RouterPre};
pub(crate) use entry::{Added, Answer, Entry};
pub use subject::Subject;

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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

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
