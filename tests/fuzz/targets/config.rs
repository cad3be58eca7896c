//! Any text is a configuration or gets errors with their position; nothing panics.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match pointsman_rules::config::parse(text, Path::new("pointsman.toml")) {
        Ok(config) => assert!(!config.listeners.is_empty() && !config.tenants.is_empty()),
        Err(errors) => {
            let errors = errors.to_string();
            assert!(!errors.is_empty());
            for line in errors.lines() {
                assert!(line.starts_with("pointsman.toml:") && !line.chars().any(char::is_control), "{line:?}");
            }
        }
    }
});
