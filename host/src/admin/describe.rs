//! The API's description in OpenAPI's format, made from the routes and from the types of their answers.

use std::collections::BTreeMap;

use pointsman_rules::config::Stage;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::admin::routes::{Parameter, Values};
use crate::admin::{Action, ROUTES, Route};
use crate::api::{
    Changes, DrainState, Error, FailureList, NewVersion, Promotion, TenantDetails, TenantList, TenantSummary,
    Validation, Version,
};

/// The description as a whole.
#[derive(Debug, Serialize)]
pub(super) struct Description {
    openapi: &'static str,
    info: Value,
    /// By path and method.
    paths: BTreeMap<&'static str, BTreeMap<String, Value>>,
    components: Value,
    security: Value,
}

const ABOUT: &str = "Shows and changes which version of its modules serves a tenant. On the Unix socket of `[admin]` \
    nobody needs a token; over TCP every path but /metrics needs `authorization: Bearer TOKEN`, and the header `host` \
    must have an IP address, `localhost` or a name in `admin.hosts`. HEAD is answered wherever GET is, with the same \
    headers; other methods get 405 `method-not-allowed` with `Allow`, other paths 404 `not-found`. Every answer has \
    `cache-control: no-store`. Errors are as in the schema Error, whatever their status.";

/// The parts of an operation's description that are not in its [`Route`].
struct Operation {
    summary: &'static str,
    /// The answer with status 200.
    answer: &'static str,
    body: Body,
    /// Statuses of errors beyond those that follow from the route.
    errors: &'static [u16],
}

/// The body of an answer with status 200.
enum Body {
    Text,
    /// JSON of any form.
    Object,
    Json(fn(&mut SchemaGenerator) -> Schema),
}

/// The answers with an error status.
struct Refusal {
    status: u16,
    name: &'static str,
    description: &'static str,
    /// A header that only these answers have: its name, its description and the type of its value.
    header: Option<(&'static str, &'static str, &'static str)>,
}

const REFUSALS: [Refusal; 10] = [
    refusal(
        400,
        "BadRequest",
        "`bad-request`: a parameter that is unknown, wrong or given twice (`parameter` names it), a body where none is \
         wanted, or a header `host` that is missing.",
    ),
    Refusal {
        header: Some(("WWW-Authenticate", "`Bearer realm=\"pointsman\"`", "string")),
        ..refusal(401, "Unauthorized", "`unauthorized`: there is no token, or it is wrong.")
    },
    refusal(
        403,
        "Forbidden",
        "`forbidden`: no token is configured, so there are only metrics here; or `cross-site`: a page of another site \
         sent the request (`origin`).",
    ),
    refusal(404, "NotFound", "`no-such-tenant`, `no-such-module` or `no-such-version`."),
    refusal(409, "Conflict", "The state does not allow it; the code says what prevents it. Nothing has changed."),
    refusal(413, "TooLarge", "`too-large`: the module has more than 64 MiB."),
    refusal(421, "Misdirected", "`host-not-allowed`: the header `host` has a name that is not in `admin.hosts`."),
    refusal(
        422,
        "Refused",
        "`refused`: the new version does not pass (`step` says where); or `config-refused`. The previous version keeps \
         serving.",
    ),
    Refusal {
        header: Some(("Retry-After", "Seconds to wait.", "integer")),
        ..refusal(
            429,
            "TooManyRequests",
            "`too-many-wrong-tokens`: tokens from this address are not looked at for a while.",
        )
    },
    refusal(500, "Failed", "`internal`; or `not-saved`: it is in force, but a restart would not find it."),
];

const fn refusal(status: u16, name: &'static str, description: &'static str) -> Refusal {
    Refusal { status, name, description, header: None }
}

impl Description {
    pub fn new() -> Description {
        let settings = SchemaSettings::draft2020_12().for_serialize();
        let mut schemas =
            settings.with(|settings| settings.definitions_path = "/components/schemas".into()).into_generator();
        let mut paths: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for route in &ROUTES {
            let method = route.method.as_str().to_ascii_lowercase();
            paths.entry(route.path).or_default().insert(method, described(route, &mut schemas));
        }
        let error = schemas.subschema_for::<Error>();
        let responses: Map<String, Value> =
            REFUSALS.iter().map(|refusal| (refusal.name.to_owned(), refused(refusal, &error))).collect();
        Description {
            openapi: "3.1.0",
            info: json!({"title": "Pointsman admin API", "version": "1", "description": ABOUT}),
            paths,
            components: json!({
                "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
                "responses": responses,
                "schemas": schemas.take_definitions(true),
            }),
            security: json!([{"token": []}]),
        }
    }
}

fn operation(action: Action) -> Operation {
    let new = |summary, answer, body, errors| Operation { summary, answer, body, errors };
    match action {
        Action::Metrics => new("Metrics, in Prometheus' text format (docs/metrics.md)", "all metrics", Body::Text, &[]),
        Action::Describe => new("This description", "this description", Body::Object, &[]),
        Action::ListTenants => new(
            "All tenants, with the version that serves each",
            "`tenants`: for each its name, the live version, the digests of its modules, its candidate and whether it \
             is drained",
            json_of::<TenantList>(),
            &[],
        ),
        Action::ShowTenant => new(
            "One tenant: its versions, its candidate's trial, and the versions that were refused",
            "as in the list, with `versions` and `failures`, newest first, and `candidate` with its counts and \
             examples of differences",
            json_of::<TenantDetails>(),
            &[],
        ),
        Action::Upload => new(
            "Upload a module: a new version with it, if it passes every step",
            "the new version: it serves as far as its stage says, and a restart finds it",
            json_of::<NewVersion>(),
            &[409],
        ),
        Action::Validate => new(
            "Check a module through every step of a release, without releasing it",
            "`valid`, and how many tests it passed",
            json_of::<Validation>(),
            &[],
        ),
        Action::Promote => new(
            "Promote the candidate by one stage, or up to the stage `to`",
            "the stage, and the live version",
            json_of::<Promotion>(),
            &[409],
        ),
        Action::Abort => new("End the candidate's trial", "the tenant", json_of::<TenantSummary>(), &[409]),
        Action::RollBack => new(
            "Go back to the last version that served well, or to one of the history",
            "the version that serves again",
            json_of::<Version>(),
            &[409, 422],
        ),
        Action::Drain => new(
            "Take no new requests for this tenant: they get 503 `tenant-drained`; those in flight end",
            "`drained` and `requests_in_flight`",
            json_of::<DrainState>(),
            &[409],
        ),
        Action::Resume => {
            new("Take requests again", "`drained` and `requests_in_flight`", json_of::<DrainState>(), &[409])
        }
        Action::Failures => new(
            "The last versions of any tenant that were refused",
            "`failures`: for each the tenant, the time, the step, the file, its digest and the message",
            json_of::<FailureList>(),
            &[],
        ),
        Action::Reload => new(
            "Read the configuration again, as SIGHUP does: all of it is put in force, or nothing",
            "what changed; a module file that is refused does not refuse the configuration: see `refused`",
            json_of::<Changes>(),
            &[409, 422],
        ),
    }
}

fn json_of<T: JsonSchema>() -> Body {
    Body::Json(SchemaGenerator::subschema_for::<T>)
}

/// The description of a route's operation.
fn described(route: &Route, schemas: &mut SchemaGenerator) -> Value {
    let operation = operation(route.action);
    let content = match operation.body {
        Body::Text => json!({"text/plain": {"schema": {"type": "string"}}}),
        Body::Object => json!({"application/json": {"schema": {"type": "object"}}}),
        Body::Json(schema) => json!({"application/json": {"schema": schema(schemas)}}),
    };
    let mut responses =
        Map::from_iter([("200".to_owned(), json!({"description": operation.answer, "content": content}))]);
    for refusal in REFUSALS.iter().filter(|refusal| may_refuse(route, &operation, refusal.status)) {
        let reference = json!({"$ref": format!("#/components/responses/{}", refusal.name)});
        responses.insert(refusal.status.to_string(), reference);
    }
    let mut described =
        Map::from_iter([("summary".to_owned(), operation.summary.into()), ("responses".to_owned(), responses.into())]);
    let tenant =
        json!({"name": "tenant", "in": "path", "required": true, "schema": {"type": "string", "minLength": 1}});
    let of_path = Some(tenant).filter(|_| route.has_tenant());
    let parameters: Vec<Value> = of_path.into_iter().chain(route.parameters.iter().map(parameter)).collect();
    if !parameters.is_empty() {
        described.insert("parameters".to_owned(), parameters.into());
    }
    if route.action.takes_body() {
        let body = json!({
            "required": true,
            "description": "A component, or a core module with its component type; 64 MiB at most.",
            "content": {"application/wasm": {"schema": {"type": "string", "format": "binary"}}},
        });
        described.insert("requestBody".to_owned(), body);
    }
    if route.action == Action::Metrics {
        described.insert("security".to_owned(), json!([]));
    }
    described.into()
}

/// Whether an operation may be answered with this status.
fn may_refuse(route: &Route, operation: &Operation, status: u16) -> bool {
    match status {
        400 | 403 | 421 | 500 => true,
        401 | 429 => route.action != Action::Metrics,
        404 => route.has_tenant(),
        413 => route.action.takes_body(),
        422 if route.action.takes_body() => true,
        _ => operation.errors.contains(&status),
    }
}

fn parameter(parameter: &Parameter) -> Value {
    let schema = match &parameter.values {
        Values::Stage => json!({"type": "string", "enum": Stage::ALL.map(|(name, _)| name)}),
        Values::Number(range) => json!({"type": "integer", "minimum": range.start(), "maximum": range.end()}),
    };
    json!({"name": parameter.name, "in": "query", "description": parameter.description, "schema": schema})
}

fn refused(refusal: &Refusal, error: &Schema) -> Value {
    let mut response = json!({
        "description": refusal.description,
        "content": {"application/json": {"schema": error}},
    });
    if let (Some((name, description, of_type)), Some(response)) = (refusal.header, response.as_object_mut()) {
        let header = json!({name: {"description": description, "schema": {"type": of_type}}});
        response.insert("headers".to_owned(), header);
    }
    response
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::api::Code;

    fn description() -> Value {
        serde_json::to_value(Description::new()).expect("JSON")
    }

    /// With `UPDATE_DOCS=1` in the environment, this test writes the file.
    #[test]
    fn description_is_the_one_in_the_docs() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/admin-api.json");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            let text = serde_json::to_string_pretty(&Description::new()).expect("JSON") + "\n";
            std::fs::write(path, text).expect("written");
        }
        let text = std::fs::read_to_string(path).expect("a file");
        let documented: Value = serde_json::from_str(&text).expect("JSON");
        assert!(
            documented == description(),
            "docs/admin-api.json is out of date: `UPDATE_DOCS=1 cargo test -p pointsman --lib \
             description_is_the_one_in_the_docs` writes it; look at what changed"
        );
    }

    #[test]
    fn description_has_every_code_and_status() {
        let described = description();
        let codes = &described["components"]["schemas"]["Error"]["properties"]["error"]["properties"]["code"]["enum"];
        let codes: BTreeSet<&str> = codes.as_array().expect("codes").iter().filter_map(Value::as_str).collect();
        assert_eq!(codes, Code::ALL.map(Code::name).into_iter().collect());

        // The statuses that every operation may return, and those of operations with more reasons to refuse.
        for route in &ROUTES {
            let operation = &described["paths"][route.path][route.method.as_str().to_lowercase()];
            let responses = operation["responses"].as_object().expect("responses");
            let mut expected = BTreeSet::from(["200", "400", "403", "421", "500"]);
            if route.action != Action::Metrics {
                expected.extend(["401", "429"]);
            }
            if route.path.contains("{tenant}") {
                expected.insert("404");
            }
            if route.action.takes_body() {
                expected.extend(["413", "422"]);
            }
            match route.action {
                Action::Upload | Action::Promote | Action::Abort | Action::Drain | Action::Resume => {
                    expected.insert("409");
                }
                Action::RollBack | Action::Reload => expected.extend(["409", "422"]),
                _ => {}
            }
            assert_eq!(responses.keys().map(String::as_str).collect::<BTreeSet<_>>(), expected, "{}", route.path);
            let references = responses.values().filter_map(|response| response["$ref"].as_str());
            for reference in references {
                let found = described.pointer(reference.trim_start_matches('#')).expect(reference);
                assert_eq!(found["content"]["application/json"]["schema"]["$ref"], "#/components/schemas/Error");
            }
            assert_eq!(operation["security"] == json!([]), route.action == Action::Metrics, "{}", route.path);
        }
        let described: BTreeSet<&str> = described["paths"]
            .as_object()
            .expect("paths")
            .values()
            .flat_map(|methods| {
                let operations = methods.as_object().expect("methods").values();
                operations.flat_map(|operation| operation["responses"].as_object().expect("responses").keys())
            })
            .map(String::as_str)
            .collect();
        for code in Code::ALL.into_iter().filter(|code| *code != Code::MethodNotAllowed) {
            assert!(described.contains(code.status().as_str()), "{}", code.name());
        }
    }
}
