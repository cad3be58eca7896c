//! Lists the interfaces of WASI that a module may import, by name, and the remedies for all others.

/// Packages that the host offers as an empty world (`crate::wasi`), in any version 0.2.x.
const PACKAGES: [&str; 6] = ["io", "clocks", "random", "cli", "filesystem", "sockets"];

/// The same, for a message.
pub const OFFERED: &str = "0.2 of io, clocks, random, cli, filesystem and sockets, in an empty world";

/// `wasi:io/streams@0.2.3` is `io/streams`. None if it is not offered.
pub fn interface(import: &str) -> Option<&str> {
    let (interface, version) = import.strip_prefix("wasi:")?.split_once('@')?;
    let patch = version.strip_prefix("0.2.")?;
    let (package, _) = interface.split_once('/')?;
    let is_release = !patch.is_empty() && patch.bytes().all(|byte| byte.is_ascii_digit());
    (is_release && PACKAGES.contains(&package)).then_some(interface)
}

/// The remedy for an import of WASI that is not offered. None if it is not of WASI.
pub fn remedy(import: &str) -> Option<&'static str> {
    let name = import.strip_prefix("wasi:")?;
    let (interface, version) = name.split_once('@').unwrap_or((name, ""));
    let package = interface.split('/').next().unwrap_or_default();
    Some(match package {
        "http" => {
            "modules send no requests; in JavaScript build with componentize-js's `disableFeatures: ['http', \
             'fetch-event']`, elsewhere without an HTTP client or server"
        }
        "config" | "keyvalue" | "logging" | "blobstore" => {
            "use `config`, `shared` and `log` of `pointsman:router` instead"
        }
        _ if !PACKAGES.contains(&package) => "build without it, or with your toolchain's option that stubs WASI out",
        _ if version.starts_with("0.3") => {
            "build for WASI 0.2: Rust for `wasm32-wasip2`, in Python componentize-py with `--stub-wasi`, in JavaScript \
             jco with `--backend-qjs-disable-async`"
        }
        _ => "build with a newer toolchain, for WASI 0.2.0 or later",
    })
}

/// The same for a module that a core module imports from, except for the WASI that has an adapter.
pub fn core_remedy(module: &str) -> Option<&'static str> {
    if module.starts_with("wasix_") {
        return Some("build without WASIX");
    }
    let is_wasi = module.starts_with("wasi_") || module == "wasi";
    is_wasi.then_some("build with a newer toolchain, or for a target without WASI, such as `wasm32-unknown-unknown`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stable_releases_of_wasi_0_2_are_offered() {
        assert_eq!(interface("wasi:io/streams@0.2.0"), Some("io/streams"));
        assert_eq!(interface("wasi:sockets/tcp@0.2.12"), Some("sockets/tcp"));
        for other in [
            "wasi:io/streams",
            "wasi:io/streams@0.2.0-rc-2023-11-10",
            "wasi:io/streams@0.2.",
            "wasi:io/streams@0.3.0",
            "wasi:io@0.2.0",
            "wasi:http/types@0.2.0",
            "acme:io/streams@0.2.0",
        ] {
            assert_eq!(interface(other), None, "{other}");
        }
    }

    #[test]
    fn remedy_names_the_language_if_the_import_reveals_it() {
        let check = |import, part| assert!(remedy(import).is_some_and(|remedy| remedy.contains(part)), "{import}");
        check("wasi:http/types@0.2.3", "disableFeatures");
        check("wasi:cli/stdout@0.3.0", "--stub-wasi");
        check("wasi:keyvalue/store@0.2.0", "`shared`");
        check("wasi:nn/tensor@0.2.0", "stubs WASI out");
        check("wasi:cli/stdout@0.2.0-rc-2023-11-10", "newer");
        assert_eq!(remedy("acme:db/store@1.0.0"), None);
        assert!(core_remedy("wasi_unstable").is_some() && core_remedy("wasix_32v1").is_some());
        assert_eq!(core_remedy("env"), None);
    }
}
