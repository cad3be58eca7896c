//! Golden tests: invalid files, each with the exact text that a user sees.

use super::complaints;

macro_rules! golden {
    ($($sentence:ident: $name:literal;)*) => {
        /// The texts of the files.
        pub const FILES: &[&str] = &[$(include_str!(concat!("../golden/", $name, ".toml"))),*];

        $(
            #[test]
            fn $sentence() {
                check(
                    include_str!(concat!("../golden/", $name, ".toml")),
                    include_str!(concat!("../golden/", $name, ".txt")),
                );
            }
        )*
    };
}

golden! {
    empty_file_lacks_listener_and_tenant: "empty";
    good_file_has_no_problem: "good";
    unknown_and_missing_keys_are_told_together: "keys";
    wrong_types_are_told_with_what_was_found: "types";
    values_out_of_range_are_told_with_their_range: "values";
    second_claims_are_told_with_the_first: "claims";
    each_bad_hostname_is_told_why: "hostnames";
    what_json_cannot_hold_is_told: "modules";
    every_error_of_syntax_is_told_with_its_position: "syntax";
}

#[track_caller]
fn check(text: &str, expected: &str) {
    let found = complaints(text);
    assert!(found == expected.trim_end(), "the user now sees:\n{found}\n");
}
