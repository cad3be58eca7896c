//! Tests of tenants in their own files, and of tenants' claims.

use super::*;

/// A folder with these files, which exists until the value is dropped.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("tenants.d")).unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// The messages that a user gets about such a folder, with file names relative to it.
fn complaints_of(files: &[(&str, &str)]) -> String {
    let folder = folder(files);
    let errors =
        load(&folder.path().join("pointsman.toml")).map_or_else(|errors| errors.to_string(), |_| String::new());
    errors.replace(&format!("{}/", folder.path().display()), "")
}

const LISTENERS: &str = "[[listener]]\nname = \"web\"\naddress = \"127.0.0.1:0\"\n\
                         [[listener]]\nname = \"tls\"\naddress = \"127.0.0.1:0\"\n\
                         [listener.tls]\ncertificate = \"a\"\nkey = \"b\"\n";

fn tenant(name: &str, matching: &str) -> String {
    format!("[[tenant]]\nname = \"{name}\"\n{matching}\n[[tenant.module]]\npath = \"{name}.wasm\"\n")
}

#[test]
fn tenants_may_have_files_of_their_own() {
    let folder = folder(&[
        ("pointsman.toml", LISTENERS),
        ("tenants.d/b.toml", &(tenant("b", "hostnames = [\"b.example\"]") + &tenant("c", "hostnames = [\"*\"]"))),
        ("tenants.d/a.toml", &tenant("a", "hostnames = [\"*\"]\nlisteners = [\"tls\"]\nsni = [\"*.A.example\"]")),
        ("tenants.d/.a.toml.swp", "not read"),
        ("tenants.d/.hidden.toml", "not read"),
        ("tenants.d/a.toml.bak", "not read"),
    ]);
    let config = load(&folder.path().join("pointsman.toml")).unwrap();
    let names: Vec<&str> = config.tenants.iter().map(|tenant| tenant.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(config.tenants[0].modules[0].path, folder.path().join("tenants.d/a.wasm"));
    let sni = vec![HostPattern::Wildcard("a.example".to_owned())];
    let listeners = vec!["tls".to_owned()];
    assert_eq!(config.tenants[0].matching, Matching { hostnames: vec![HostPattern::Any], sni, listeners });
}

#[test]
fn folder_of_tenants_may_be_empty() {
    let folder = folder(&[("pointsman.toml", LISTENERS)]);
    assert_eq!(load(&folder.path().join("pointsman.toml")).map(|config| config.tenants), Ok(Vec::new()));
}

#[test]
fn problems_of_all_files_are_reported_together() {
    let shop = tenant("shop", "hostnames = [\"shop.example\"]");
    let twin = tenant("twin", "hostnames = [\"cart.example\", \"shop.example\"]\ncolour = 1");
    let found = complaints_of(&[
        ("pointsman.toml", &format!("{LISTENERS}{shop}")),
        ("tenants.d/1.toml", &twin),
        ("tenants.d/2.toml", &format!("[log]\nlevel = \"info\"\n{}", tenant("shop", "hostnames = [\"2.example\"]"))),
        ("tenants.d/3.toml", ""),
    ]);
    let expected = "\
tenants.d/1.toml:3: tenant[0].hostnames[1]: tenant `twin` claims `shop.example`, which tenant `shop` has already, as \
tenant[0].hostnames[0] in line 12 of pointsman.toml
tenants.d/1.toml:4: tenant[0].colour: unknown key; known here: name, hostnames, sni, listeners, module, \
instance_calls, rewind, limits, quota, breaker, upstream, failure, group, grants, release
tenants.d/2.toml:1: log: unknown key; known here: tenant
tenants.d/2.toml:4: tenant[0].name: must be unique, but `shop` is tenant[0].name already, in line 11 of pointsman.toml
tenants.d/3.toml:1: tenant: is missing: add at least one `[[tenant]]`";
    assert_eq!(found, expected);
}

#[test]
fn unreadable_tenant_files_are_reported() {
    let found = complaints_of(&[
        ("pointsman.toml", LISTENERS),
        ("tenants.d/1.toml", "[[tenant]\n"),
        ("tenants.d/2.toml", "colour = 1"),
    ]);
    // While one file is not valid TOML, the others are not checked.
    assert!(found.starts_with("tenants.d/1.toml:1: not valid TOML, at column 10"), "{found}");
    assert_eq!(found.lines().count(), 1, "{found}");

    let folder = folder(&[("pointsman.toml", LISTENERS)]);
    std::fs::write(folder.path().join("tenants.d/a.toml"), b"# \xFC").unwrap();
    std::fs::create_dir(folder.path().join("tenants.d/b.toml")).unwrap();
    let found = load(&folder.path().join("pointsman.toml")).unwrap_err().to_string();
    assert!(found.contains("a.toml:1: is not UTF-8 at column 3"), "{found}");
    assert!(found.contains("b.toml: cannot be read: "), "{found}");
}

#[test]
fn claims_are_of_listener_server_name_and_hostname() {
    #[track_caller]
    fn check(one: &str, other: &str, expected: &str) {
        let text = format!("{LISTENERS}{}{}", tenant("one", one), tenant("other", other));
        let found = complaints(&text);
        assert_eq!(found.split_once(": ").map_or("", |(_, found)| found), expected);
    }
    let (any, on_tls, on_both) = (
        "hostnames = [\"*\"]",
        "hostnames = [\"*\"]\nlisteners = [\"tls\"]",
        "hostnames = [\"*\"]\nlisteners = [\"web\", \"tls\"]",
    );
    let (sni, sni_on_both) = (format!("{any}\nsni = [\"a.example\"]"), format!("{on_both}\nsni = [\"A.example\"]"));
    check(any, on_tls, "");
    check(any, &sni, "");
    check(on_tls, &sni_on_both, "");
    check(&sni, &sni_on_both, "");
    let has = "which tenant `one` has already, as tenant[0].hostnames[0] in line 12";
    check(on_tls, on_both, &format!("tenant[1].hostnames[0]: tenant `other` claims `*` on listener `tls`, {has}"));
    let claims = "tenant[1].hostnames[0]: tenant `other` claims `*` with SNI `a.example` on listener `web`";
    check(&sni_on_both, &sni_on_both, &format!("{claims}, {has}"));
    check(
        any,
        "hostnames = [\"a.example\"]\nlisteners = [\"webb\"]",
        "tenant[1].listeners[0]: no `[[listener]]` has the name `webb`; there is `tls`, `web`",
    );
    check(
        any,
        "hostnames = [\"a.example\"]\nlisteners = [\"web\"]\nsni = [\"a.example\"]",
        "tenant[1].sni: can never match: none of the tenant's listeners has TLS",
    );
    check(
        any,
        "hostnames = [\"a.example\"]\nsni = [\"127.0.0.1\"]",
        "tenant[1].sni[0]: `127.0.0.1` must be a name: no client sends an IP address as its server name",
    );
}

#[test]
fn rewind_is_refused_together_with_instances_that_keep_state() {
    let found = complaints_of(&[
        ("pointsman.toml", LISTENERS),
        ("tenants.d/1.toml", &tenant("shop", "hostnames = [\"a.example\"]\ninstance_calls = 2\nrewind = true")),
    ]);
    assert_eq!(
        found,
        "tenants.d/1.toml:5: tenant[0].rewind: has no effect with `instance_calls` above 1, whose instances keep their \
         state: remove one of the two"
    );
}
