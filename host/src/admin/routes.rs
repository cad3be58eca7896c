//! What the API can be asked, and how a request is taken apart.

use http::Method;

use crate::admin::{ApiError, Code};

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

/// A path and what it does. `{tenant}` stands for a tenant's name.
#[derive(Debug)]
pub struct Route {
    pub method: Method,
    pub path: &'static str,
    pub action: Action,
    /// Query parameters.
    pub parameters: &'static [&'static str],
}

pub static ROUTES: [Route; 13] = [
    route(Method::GET, "/metrics", Action::Metrics, &[]),
    route(Method::GET, "/v1/openapi.json", Action::Describe, &[]),
    route(Method::GET, "/v1/tenants", Action::ListTenants, &[]),
    route(Method::GET, "/v1/tenants/{tenant}", Action::ShowTenant, &[]),
    route(Method::POST, "/v1/tenants/{tenant}/modules", Action::Upload, &["position", "stage", "percent"]),
    route(Method::POST, "/v1/tenants/{tenant}/validate", Action::Validate, &["position"]),
    route(Method::POST, "/v1/tenants/{tenant}/promote", Action::Promote, &["to", "percent"]),
    route(Method::POST, "/v1/tenants/{tenant}/abort", Action::Abort, &[]),
    route(Method::POST, "/v1/tenants/{tenant}/rollback", Action::RollBack, &["version"]),
    route(Method::POST, "/v1/tenants/{tenant}/drain", Action::Drain, &[]),
    route(Method::POST, "/v1/tenants/{tenant}/resume", Action::Resume, &[]),
    route(Method::GET, "/v1/failures", Action::Failures, &[]),
    route(Method::POST, "/v1/reload", Action::Reload, &[]),
];

const fn route(method: Method, path: &'static str, action: Action, parameters: &'static [&'static str]) -> Route {
    Route { method, path, action, parameters }
}

/// A request, understood.
#[derive(Debug, PartialEq, Eq)]
pub struct Call<'r> {
    pub action: Action,
    pub tenant: Option<&'r str>,
    query: Vec<(&'r str, &'r str)>,
}

impl<'r> Call<'r> {
    pub fn new(method: &Method, path: &'r str, query: Option<&'r str>) -> Result<Call<'r>, ApiError> {
        let found = ROUTES.iter().filter_map(|route| matched(route.path, path).map(|tenant| (route, tenant)));
        let found: Vec<_> = found.collect();
        if found.is_empty() {
            return Err(ApiError::new(Code::NotFound, "there is no such path; see /v1/openapi.json"));
        }
        let wanted = if method == Method::HEAD { Method::GET } else { method.clone() };
        let Some((route, tenant)) = found.iter().find(|(route, _)| route.method == wanted) else {
            let known: Vec<&str> = found.iter().map(|(route, _)| route.method.as_str()).collect();
            return Err(ApiError::new(Code::MethodNotAllowed, format!("the method here is {}", known.join(" or "))));
        };
        let mut pairs = Vec::new();
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if !route.parameters.contains(&name) {
                let known = match route.parameters {
                    [] => "none is known here".to_owned(),
                    known => format!("known here: {}", known.join(", ")),
                };
                return Err(ApiError::new(Code::BadRequest, format!("unknown parameter `{}`; {known}", shown(name))));
            }
            pairs.push((name, value));
        }
        Ok(Call { action: route.action, tenant: *tenant, query: pairs })
    }

    /// A query parameter.
    pub fn parameter(&self, name: &str) -> Option<&'r str> {
        self.query.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// One that is a number.
    pub fn number<N: std::str::FromStr>(&self, name: &str) -> Result<Option<N>, ApiError> {
        let Some(text) = self.parameter(name) else { return Ok(None) };
        let wrong = |_| ApiError::new(Code::BadRequest, format!("`{name}` must be a number, found `{}`", shown(text)));
        text.parse().map(Some).map_err(wrong)
    }
}

/// What stands for `{tenant}`, if the path is of this form.
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
    crate::text::printable(text, LONGEST).0
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    #[test]
    fn request_is_taken_apart() {
        let call = Call::new(&Method::POST, "/v1/tenants/shop/rollback", Some("version=3")).expect("a call");
        assert_eq!((call.action, call.tenant), (Action::RollBack, Some("shop")));
        assert_eq!(call.number::<u64>("version"), Ok(Some(3)));
        assert_eq!(call.number::<usize>("position"), Ok(None));
        let code = |method, path, query| Call::new(&method, path, query).expect_err("an error").code;
        assert_eq!(code(Method::GET, "/v1/tenants/shop/rollback", None), Code::MethodNotAllowed);
        assert_eq!(code(Method::POST, "/v1/tenants/shop/rollback/", None), Code::NotFound);
        assert_eq!(code(Method::POST, "/v1/reload", Some("x=1")), Code::BadRequest);
        assert_eq!(code(Method::GET, "", None), Code::NotFound);
    }

    #[test]
    fn description_has_every_route_parameter_and_code() {
        let described: Value = serde_json::from_str(include_str!("../../../docs/admin-api.json")).expect("JSON");
        let paths = described["paths"].as_object().expect("paths");
        let mut documented = BTreeSet::new();
        for (path, methods) in paths {
            for (method, operation) in methods.as_object().expect("methods") {
                let parameters = operation["parameters"].as_array().into_iter().flatten();
                let query = parameters.filter(|parameter| parameter["in"] == "query");
                let query: Vec<String> =
                    query.map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect();
                documented.insert((method.to_uppercase(), path.clone(), query));
            }
        }
        let real = ROUTES.iter().map(|route| {
            let parameters = route.parameters.iter().map(|name| (*name).to_owned()).collect();
            (route.method.to_string(), route.path.to_owned(), parameters)
        });
        assert_eq!(documented, real.collect::<BTreeSet<_>>());

        let codes = &described["components"]["schemas"]["Error"]["properties"]["error"]["properties"]["code"]["enum"];
        let codes: BTreeSet<&str> = codes.as_array().expect("codes").iter().filter_map(Value::as_str).collect();
        assert_eq!(codes, Code::ALL.map(Code::name).into_iter().collect());
    }
}
