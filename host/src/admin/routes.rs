//! The API's operations, and how a request is parsed into one.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use http::Method;
use pointsman_rules::config::Stage;

use crate::admin::ApiError;
use crate::api::Code;

/// One operation of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Metrics,
    Describe,
    ListTenants,
    ShowTenant,
    Upload,
    Validate,
    Promote,
    Abort,
    RollBack,
    Drain,
    Resume,
    Failures,
    Reload,
}

/// A path and its operation. `{tenant}` is a placeholder for a tenant's name.
#[derive(Debug)]
pub struct Route {
    pub method: Method,
    pub path: &'static str,
    pub action: Action,
    pub parameters: &'static [Parameter],
}

/// A query parameter.
#[derive(Debug)]
pub struct Parameter {
    pub name: &'static str,
    pub description: &'static str,
    pub values: Values,
}

/// The values that a parameter may have.
#[derive(Debug)]
pub enum Values {
    /// The name of a stage.
    Stage,
    Number(RangeInclusive<u64>),
}

/// A value that a parameter may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    Stage(Stage),
    Number(u64),
}

const POSITION: Parameter = Parameter {
    name: "position",
    description: "Which of the tenant's modules it takes the place of, from 0. Default: 0.",
    values: Values::Number(0..=4_294_967_295),
};

const STAGE: Parameter = Parameter {
    name: "stage",
    description: "Where the version begins. Default: the tenant's `release.stage`.",
    values: Values::Stage,
};

const TO: Parameter = Parameter {
    name: "to",
    description: "Default: from shadow to canary (live if `release.canary_percent` is 0), from canary to live.",
    values: Values::Stage,
};

const VERSION: Parameter = Parameter {
    name: "version",
    description: "Its number.",
    // The largest number that any JSON parser reads exactly.
    values: Values::Number(0..=9_007_199_254_740_991),
};

const UPLOAD: &[Parameter] =
    &[POSITION, STAGE, percent("Of the clients, for a canary. Default: the tenant's `release.canary_percent`.")];

const PROMOTE: &[Parameter] = &[
    TO,
    percent(
        "Of the clients, for a canary; one that serves some already may get more. Default: `release.canary_percent`.",
    ),
];

const fn percent(description: &'static str) -> Parameter {
    Parameter { name: "percent", description, values: Values::Number(1..=100) }
}

impl Parameter {
    fn parse(&self, text: &str) -> Result<Value, ApiError> {
        let name = self.name;
        let (value, expected) = match &self.values {
            Values::Stage => {
                let stage = Stage::ALL.iter().find(|(name, _)| *name == text);
                (stage.map(|(_, stage)| Value::Stage(*stage)), "a stage: `shadow`, `canary` or `live`".to_owned())
            }
            Values::Number(range) => {
                // `parse` would also accept a sign.
                let digits = Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
                let number = digits.and_then(|digits| digits.parse().ok()).filter(|number| range.contains(number));
                (number.map(Value::Number), format!("a number from {} to {}", range.start(), range.end()))
            }
        };
        let wrong = || ApiError::of_parameter(name, format!("`{name}` must be {expected}, found `{}`", shown(text)));
        value.ok_or_else(wrong)
    }
}

impl Route {
    /// Whether the path names a tenant.
    pub fn has_tenant(&self) -> bool {
        self.path.contains("{tenant}")
    }

    /// Supported methods: HEAD wherever GET is (RFC 9110, section 9.1).
    fn methods(&self) -> &str {
        if self.method == Method::GET { "GET, HEAD" } else { self.method.as_str() }
    }
}

impl Action {
    /// Whether a request carries a module.
    pub fn takes_body(self) -> bool {
        matches!(self, Action::Upload | Action::Validate)
    }
}

pub static ROUTES: [Route; 13] = [
    route(Method::GET, "/metrics", Action::Metrics, &[]),
    route(Method::GET, "/v1/openapi.json", Action::Describe, &[]),
    route(Method::GET, "/v1/tenants", Action::ListTenants, &[]),
    route(Method::GET, "/v1/tenants/{tenant}", Action::ShowTenant, &[]),
    route(Method::POST, "/v1/tenants/{tenant}/modules", Action::Upload, UPLOAD),
    route(Method::POST, "/v1/tenants/{tenant}/validate", Action::Validate, &[POSITION]),
    route(Method::POST, "/v1/tenants/{tenant}/promote", Action::Promote, PROMOTE),
    route(Method::POST, "/v1/tenants/{tenant}/abort", Action::Abort, &[]),
    route(Method::POST, "/v1/tenants/{tenant}/rollback", Action::RollBack, &[VERSION]),
    route(Method::POST, "/v1/tenants/{tenant}/drain", Action::Drain, &[]),
    route(Method::POST, "/v1/tenants/{tenant}/resume", Action::Resume, &[]),
    route(Method::GET, "/v1/failures", Action::Failures, &[]),
    route(Method::POST, "/v1/reload", Action::Reload, &[]),
];

const fn route(method: Method, path: &'static str, action: Action, parameters: &'static [Parameter]) -> Route {
    Route { method, path, action, parameters }
}

/// A parsed request.
#[derive(Debug, PartialEq, Eq)]
pub struct Call<'r> {
    pub action: Action,
    pub tenant: Option<Cow<'r, str>>,
    query: Vec<(&'static str, Value)>,
}

impl<'r> Call<'r> {
    pub fn new(method: &Method, path: &'r str, query: Option<&'r str>) -> Result<Call<'r>, ApiError> {
        let found = ROUTES.iter().filter_map(|route| matched(route.path, path).map(|tenant| (route, tenant)));
        let found: Vec<_> = found.collect();
        if found.is_empty() {
            return Err(ApiError::new(Code::NotFound, "there is no such path; see /v1/openapi.json"));
        }
        let wanted = if method == Method::HEAD { &Method::GET } else { method };
        let Some((route, tenant)) = found.iter().find(|(route, _)| route.method == *wanted) else {
            let known: Vec<&str> = found.iter().map(|(route, _)| route.methods()).collect();
            let message =
                format!("the method `{}` is not known here: use {}", shown(method.as_str()), known.join(" or "));
            return Err(ApiError { allow: Some(known.join(", ")), ..ApiError::new(Code::MethodNotAllowed, message) });
        };
        let tenant = tenant.map(|tenant| decoded(tenant).ok_or_else(bad_name)).transpose()?;
        Ok(Call { action: route.action, tenant, query: parameters(route, query.unwrap_or_default())? })
    }

    /// The value of a parameter that is a stage.
    pub fn stage(&self, name: &str) -> Option<Stage> {
        match self.value(name)? {
            Value::Stage(stage) => Some(stage),
            Value::Number(_) => None,
        }
    }

    /// The value of a numeric parameter, which is in its range.
    pub fn number(&self, name: &str) -> Option<u64> {
        match self.value(name)? {
            Value::Number(number) => Some(number),
            Value::Stage(_) => None,
        }
    }

    fn value(&self, name: &str) -> Option<Value> {
        self.query.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }
}

/// The query parameters of a route, each at most once.
fn parameters(route: &Route, query: &str) -> Result<Vec<(&'static str, Value)>, ApiError> {
    let mut found: Vec<(&'static str, Value)> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let encoding = || {
            let message = format!("parameter `{}`: it is not percent-encoded UTF-8", shown(name));
            ApiError::of_parameter(&shown(name), message)
        };
        let (name, value) = (decoded(name).ok_or_else(encoding)?, decoded(value).ok_or_else(encoding)?);
        let refused = |message: String| ApiError::of_parameter(&shown(&name), message);
        let Some(parameter) = route.parameters.iter().find(|parameter| parameter.name == name) else {
            let names: Vec<&str> = route.parameters.iter().map(|parameter| parameter.name).collect();
            let known = match names.as_slice() {
                [] => "none is known here".to_owned(),
                names => format!("known here: {}", names.join(", ")),
            };
            return Err(refused(format!("unknown parameter `{}`; {known}", shown(&name))));
        };
        if found.iter().any(|(before, _)| *before == parameter.name) {
            return Err(refused(format!("parameter `{}` is given more than once", parameter.name)));
        }
        found.push((parameter.name, parameter.parse(&value)?));
    }
    Ok(found)
}

fn bad_name() -> ApiError {
    ApiError::new(Code::BadRequest, "the tenant's name in the path is not percent-encoded UTF-8")
}

/// Decodes percent-encoding (RFC 3986, section 2.1). None: the text is not valid.
fn decoded(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut parts = text.as_bytes().split(|byte| *byte == b'%');
    let mut bytes = parts.next().unwrap_or_default().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|d| d.is_ascii_hexdigit()))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(rest);
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

/// The value of `{tenant}`, if the path has this form.
fn matched<'p>(form: &str, path: &'p str) -> Option<Option<&'p str>> {
    let (mut tenant, mut parts) = (None, path.split('/'));
    for form in form.split('/') {
        let part = parts.next()?;
        match form {
            "{tenant}" => tenant = Some(part),
            form if form == part => {}
            _ => return None,
        }
    }
    parts.next().is_none().then_some(tenant)
}

fn shown(text: &str) -> String {
    const LONGEST: usize = 64;
    pointsman_rules::text::printable(text, LONGEST).0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn request_is_taken_apart() {
        let call = Call::new(&Method::POST, "/v1/tenants/shop/rollback", Some("version=3")).expect("a call");
        assert_eq!((call.action, call.tenant.as_deref()), (Action::RollBack, Some("shop")));
        assert_eq!((call.number("version"), call.number("position")), (Some(3), None));
        let code = |method, path, query| Call::new(&method, path, query).expect_err("an error").code;
        assert_eq!(code(Method::GET, "/v1/tenants/shop/rollback", None), Code::MethodNotAllowed);
        assert_eq!(code(Method::POST, "/v1/tenants/shop/rollback/", None), Code::NotFound);
        assert_eq!(code(Method::POST, "/v1/reload", Some("x=1")), Code::BadRequest);
        assert_eq!(code(Method::GET, "", None), Code::NotFound);
    }

    #[track_caller]
    fn refused(query: &str, parameter: &str) {
        let error = Call::new(&Method::POST, "/v1/tenants/shop/modules", Some(query)).expect_err("an error");
        assert_eq!((error.code, error.parameter.as_deref()), (Code::BadRequest, Some(parameter)), "{query}: {error}");
    }

    #[test]
    fn parameter_is_known_given_once_and_encoded() {
        refused("stage=shadow&stage=live", "stage");
        refused("stage=shadow&st%61ge=shadow", "stage");
        refused("stages=live", "stages");
        refused("=live", "");
        refused("stage=%", "stage");
        refused("stage=%4", "stage");
        refused("stage=%+4", "stage");
        refused("stage=%ff", "stage");
        refused("%zz=live", "%zz");
        let call = Call::new(&Method::POST, "/v1/tenants/sh%6Fp/modules", Some("&&st%61ge=l%69ve&")).expect("a call");
        assert_eq!((call.tenant.as_deref(), call.stage("stage")), (Some("shop"), Some(Stage::Live)));
    }

    #[test]
    fn number_has_digits_alone() {
        for text in ["", "+1", "-1", "1.0", "1e3", " 1", "0x1", "18446744073709551616"] {
            refused(&format!("position={text}"), "position");
        }
    }

    /// The bounds that the API's description states.
    #[test]
    fn number_out_of_its_range_is_refused() {
        for route in &ROUTES {
            for parameter in route.parameters {
                let Values::Number(range) = &parameter.values else { continue };
                let path = route.path.replace("{tenant}", "shop");
                let value = |number: u64| {
                    let query = format!("{}={number}", parameter.name);
                    Call::new(&route.method, &path, Some(&query)).map(|call| call.number(parameter.name))
                };
                for bound in [*range.start(), *range.end()] {
                    assert_eq!(value(bound), Ok(Some(bound)), "{} {bound}", parameter.name);
                }
                for beyond in [range.start().checked_sub(1), Some(range.end() + 1)].into_iter().flatten() {
                    let error = value(beyond).expect_err("out of range");
                    assert_eq!((error.code, error.parameter.as_deref()), (Code::BadRequest, Some(parameter.name)));
                }
            }
        }
    }

    #[test]
    fn stage_has_one_of_its_names() {
        for text in ["", "Live", "live ", "beta"] {
            refused(&format!("stage={text}"), "stage");
        }
    }

    #[test]
    fn refused_method_comes_with_the_allowed_ones() {
        for route in &ROUTES {
            let path = route.path.replace("{tenant}", "shop");
            for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "get"] {
                let method = Method::from_bytes(method.as_bytes()).expect("a method");
                let answers = route.methods().split(", ").any(|known| known == method.as_str());
                match Call::new(&method, &path, None) {
                    Ok(call) => assert!(answers && call.action == route.action, "{method} {path}"),
                    Err(error) => {
                        assert!(!answers && error.code == Code::MethodNotAllowed, "{method} {path}");
                        assert_eq!(error.allow.as_deref(), Some(route.methods()));
                    }
                }
            }
        }
    }

    /// Paths of known and unknown pieces.
    fn path() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            4 => prop::sample::select(vec!["v1", "tenants", "metrics", "reload", "failures", "modules", "drain", "shop"]),
            1 => prop::sample::select(vec!["", ".", "..", "%2e", "%", "%zz", "%ff", "V1", "{tenant}", "drain;x", "a%00"]),
        ];
        let pieces = prop::collection::vec(piece, 0..6).prop_map(|pieces| format!("/{}", pieces.join("/")));
        let real = prop::sample::select(ROUTES.iter().map(|route| route.path).collect::<Vec<_>>());
        let real = (real, "[^/?#]{0,20}").prop_map(|(path, name)| path.replace("{tenant}", &name));
        prop_oneof![pieces, real, "\\PC{0,80}", "[/%a-f0-9]{0,80}"]
    }

    fn query() -> impl Strategy<Value = Option<String>> {
        let name = prop_oneof!["stage|percent|position|version|to", "[%a-z=&]{0,10}", "\\PC{0,10}"];
        let pair =
            (name, "=?", "\\PC{0,30}|[0-9%+.-]{0,30}").prop_map(|(name, is, value)| format!("{name}{is}{value}"));
        prop::option::of(prop::collection::vec(pair, 0..5).prop_map(|pairs| pairs.join("&")))
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]

        #[test]
        fn any_request_is_understood_or_refused(method in "GET|HEAD|POST|[!#-'*+.0-9A-Z^_`|~-]{1,12}", path in path(), query in query()) {
            let method = Method::from_bytes(method.as_bytes()).expect("a method");
            let split = |path: &str| path.split('/').map(str::to_owned).collect::<Vec<_>>();
            let is_there = |route: &&Route| {
                let (form, found) = (split(route.path), split(&path));
                form.len() == found.len() && form.iter().zip(&found).all(|(form, part)| form == "{tenant}" || form == part)
            };
            let known: Vec<&Route> = ROUTES.iter().filter(is_there).collect();
            match Call::new(&method, &path, query.as_deref()) {
                Ok(call) => {
                    prop_assert!(known.iter().any(|route| route.action == call.action));
                    prop_assert_eq!(call.tenant.is_some(), known[0].path.contains("{tenant}"));
                    for name in ["stage", "to", "percent"] {
                        let _ = (call.number(name), call.stage(name));
                    }
                }
                Err(error) => match error.code {
                    Code::NotFound => prop_assert!(known.is_empty()),
                    Code::MethodNotAllowed => {
                        prop_assert!(!known.is_empty() && error.allow.is_some());
                        prop_assert!(known.iter().all(|route| !route.methods().split(", ").any(|known| known == method.as_str())));
                    }
                    Code::BadRequest => prop_assert!(!known.is_empty() && !error.message.chars().any(char::is_control)),
                    other => prop_assert!(false, "{other:?}"),
                },
            }
        }
    }
}
