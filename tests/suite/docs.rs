//! Compares `docs/peer.md` with the contract and with the tests that it names, and runs its examples.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method};
use pointsman::answer::Failure;
use pointsman::api::Origin;
use pointsman::credentials::Credentials;
use pointsman::evaluate::{Action, Question, evaluate};
use pointsman::metrics::Metrics;
use pointsman::tenant::{Modules, Tenant, TenantDeps};
use pointsman::versions::Version;
use pointsman_rules::config::{self, Share};
use pointsman_rules::inputs::Inputs;
use pointsman_rules::request::{Arrival, RequestHead};
use pointsman_tests::{Authority, example, modules};
use pointsman_wasm::module::Loader;
use wit_parser::{Resolve, Type, TypeDefKind, TypeId};

const DOCS: &str = include_str!("../../docs/peer.md");

/// The cells of all rows that describe a field.
fn rows() -> Vec<Vec<&'static str>> {
    let rows = DOCS.lines().filter(|line| line.starts_with("| `"));
    rows.map(|line| line.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

fn in_backticks(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Every field below a record, as error messages name it.
fn fields(resolve: &Resolve, id: TypeId, path: &str, into: &mut BTreeSet<String>) {
    match &resolve.types[id].kind {
        TypeDefKind::Record(record) => {
            for field in &record.fields {
                let path = if path.is_empty() { field.name.clone() } else { format!("{path}.{}", field.name) };
                let before = into.len();
                if let Type::Id(id) = field.ty {
                    fields(resolve, id, &path, into);
                }
                // Records that are always present need no row.
                if into.len() == before || is_optional(resolve, &field.ty) {
                    into.insert(path);
                }
            }
        }
        TypeDefKind::Option(Type::Id(id)) | TypeDefKind::Type(Type::Id(id)) => fields(resolve, *id, path, into),
        _ => {}
    }
}

fn is_optional(resolve: &Resolve, ty: &Type) -> bool {
    matches!(ty, Type::Id(id) if matches!(resolve.types[*id].kind, TypeDefKind::Option(_)))
}

#[test]
fn every_field_of_the_contract_has_its_row() {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(modules::repository().join("wit/0.1")).expect("the WIT package");
    let interface = resolve.packages[package].interfaces["types"];
    let mut expected = BTreeSet::new();
    fields(&resolve, resolve.interfaces[interface].types["route"], "", &mut expected);
    expected.remove("note");
    let documented: Vec<String> = rows().iter().flat_map(|row| in_backticks(row[0]).map(str::to_owned)).collect();
    assert_eq!(documented.iter().cloned().collect::<BTreeSet<_>>(), expected);
    assert_eq!(documented.len(), expected.len(), "a field has two rows");
}

#[test]
fn every_test_that_the_docs_name_exists() {
    let mut count = 0;
    for row in rows() {
        for named in in_backticks(row[row.len() - 1]) {
            let (module, name) = named.rsplit_once("::").unwrap_or_else(|| panic!("{named}"));
            let folder = modules::repository();
            let file = match module.strip_prefix("check::tests") {
                None => folder.join(format!("tests/suite/{module}.rs")),
                Some("") => folder.join("host/rules/src/check/tests.rs"),
                Some(part) => folder.join(format!("host/rules/src/check/tests/{}.rs", part.trim_start_matches(':'))),
            };
            let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{named}: {error}"));
            assert!(text.contains(&format!("fn {name}(")), "{named}");
            count += 1;
        }
    }
    assert!(count >= rows().len(), "a field without a test");
}

/// The orders of `make lab`, checked as the proxy checks them; no connection is made.
#[test]
fn every_example_is_accepted() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let authority = Authority::new("lab");
    let client = authority.client("lab-client", 1);
    for (name, text) in [("ca.pem", authority.pem()), ("client.pem", &client.certificate), ("client.key", &client.key)]
    {
        std::fs::write(folder.path().join(name), text).expect("a file");
    }
    let script = include_str!("../../examples/lab/run");
    let (_, toml) = script.split_once("pointsman.toml\" <<END\n").expect("the lab's configuration");
    let (toml, _) = toml.split_once("\nEND\n").expect("its end");
    let config = config::parse(toml, &folder.path().join("pointsman.toml")).expect("a good configuration");

    let loader = Loader::new(1, 0).expect("a loader");
    let (tenant, credentials) = (&config.tenants[0], Credentials::load(&config.credentials).expect("good files"));
    let module = loader.load_file(&example("lab"), tenant.modules[0].config.clone(), &tenant.limits);
    let modules = vec![module.expect("the module")];
    let (own, metrics) = (Arc::default(), Metrics::new().expect("metrics"));
    let around = TenantDeps { credentials: &credentials, own: &own, metrics: &metrics, threads: 1, share: Share::ALL };
    let tenant = Tenant::new(
        tenant,
        Modules { live: Version::new(1, modules.clone(), Origin::Start), fallback: Vec::new() },
        around,
    );
    let tenant = tenant.expect("no fallback that could be refused");

    let examples: Vec<&str> = DOCS.split("```json\n").skip(1).flat_map(|part| part.split("```").take(1)).collect();
    let mut count = 0;
    for example in examples.iter().flat_map(|block| block.lines()) {
        let mut headers = HeaderMap::new();
        headers.insert("pointsman-lab", HeaderValue::from_str(example).expect("a header"));
        let head = RequestHead::new(Arrival {
            method: Method::GET,
            target: b"/".to_vec(),
            authority: "lab.example".to_owned(),
            headers,
            client_ip: None,
            listener: "web".into(),
            tls: None,
        });
        let terms = tenant.terms();
        let question =
            Question { stores: &tenant.stores, tenant: &tenant, modules: &modules, terms: &terms, cache: None };
        match evaluate(question, &Inputs::first(Arc::new(head))).0 {
            Ok(Action::Connect(_)) => {}
            // The one value that depends on the machine.
            Err(Failure::Refused(refusal)) if refusal.to_string().ends_with("(Linux 6.3 has)") => {}
            wanted => panic!("{example}: {wanted:?}"),
        }
        count += 1;
    }
    assert!(count > 20, "{count} examples");
}
