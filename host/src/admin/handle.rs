//! From a request to what is done, and to its answer.

use std::sync::Arc;

use async_trait::async_trait;
use http::{HeaderValue, Method, Response, StatusCode, header};
use pingora::apps::http_app::ServeHttp;
use pingora::protocols::http::ServerSession;
use serde_json::{Value, json};

use crate::admin::answer::no_such_tenant;
use crate::admin::routes::Call;
use crate::admin::{Access, Action, ApiError, Code, views};
use crate::config::Stage;
use crate::module::LARGEST_FILE;
use crate::release::{CannotRollBack, NoCandidate, Refused};
use crate::server::{Control, ReloadError};
use crate::tenant::Tenant;

/// Serves the admin API on one listener.
pub struct Admin {
    control: Arc<Control>,
    access: Access,
}

const JSON: &str = "application/json";
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
const DESCRIPTION: &str = include_str!("../../../docs/admin-api.json");

/// What is sent: its type and its bytes.
type Body = (&'static str, Vec<u8>);

impl Admin {
    pub fn new(control: Arc<Control>, access: Access) -> Admin {
        Admin { control, access }
    }

    async fn answer(&self, session: &mut ServerSession) -> Result<Body, ApiError> {
        let head = session.req_header();
        let (method, uri) = (head.method.clone(), head.uri.clone());
        let call = Call::new(&method, uri.path(), uri.query())?;
        if call.action == Action::Metrics {
            self.control.refresh_metrics();
            let text = self.control.metrics.text();
            let text = text.map_err(|error| ApiError::new(Code::Internal, error.to_string()))?;
            return Ok((METRICS, text.into_bytes()));
        }
        self.access.judge(head.headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes))?;
        if call.action == Action::Describe {
            return Ok((JSON, DESCRIPTION.as_bytes().to_vec()));
        }
        let body = body(session).await?;
        let done = self.done(&call, body).await?;
        let mut text = serde_json::to_vec_pretty(&done).unwrap_or_default();
        text.push(b'\n');
        Ok((JSON, text))
    }

    /// Builds and files take their time: not on a thread that serves.
    async fn done(&self, call: &Call<'_>, body: Vec<u8>) -> Result<Value, ApiError> {
        let tenant = call.tenant.map(|name| self.tenant(name)).transpose()?;
        let no_tenant = || ApiError::new(Code::Internal, "a path without its tenant");
        let control = self.control.clone();
        match call.action {
            Action::Metrics | Action::Describe => Err(ApiError::new(Code::Internal, "answered before")),
            Action::ListTenants => {
                let tenants = control.tenants();
                Ok(json!({"tenants": tenants.values().map(|tenant| views::summary(tenant)).collect::<Vec<_>>()}))
            }
            Action::ShowTenant => Ok(views::details(&*tenant.ok_or_else(no_tenant)?)),
            Action::Upload => {
                let stage = call.parameter("stage").map(stage).transpose()?;
                if !control.publisher.keeps_state() {
                    let message = "an upload has to outlive the process: configure `proxy.state_dir`";
                    return Err(ApiError::new(Code::NoStateDir, message));
                }
                let (tenant, position) = (tenant.ok_or_else(no_tenant)?, call.number("position")?.unwrap_or(0));
                has_module(&tenant, position)?;
                let stage = stage.unwrap_or(tenant.config.release.stage);
                blocking(move || {
                    let (prepared, version) =
                        control.publisher.from_upload(&tenant, position, body, Some(stage)).map_err(refused)?;
                    let mut view = version.map(|version| views::version(&version)).unwrap_or_default();
                    if let Some(view) = view.as_object_mut() {
                        view.insert("stage".to_owned(), json!(stage));
                        view.insert("tests".to_owned(), json!(prepared.tests));
                    }
                    Ok(view)
                })
                .await
            }
            Action::Validate => {
                let (tenant, position) = (tenant.ok_or_else(no_tenant)?, call.number("position")?.unwrap_or(0));
                has_module(&tenant, position)?;
                blocking(move || {
                    let (prepared, _) =
                        control.publisher.from_upload(&tenant, position, body, None).map_err(refused)?;
                    let digests: Vec<String> = prepared.modules.iter().map(|module| module.digest().full()).collect();
                    Ok(json!({"valid": true, "modules": digests, "tests": prepared.tests}))
                })
                .await
            }
            Action::Promote => {
                let to = call.parameter("to").map(stage).transpose()?;
                let tenant = tenant.ok_or_else(no_tenant)?;
                blocking(move || {
                    let stage = control.publisher.promote(&tenant, to).map_err(no_candidate)?;
                    Ok(json!({"stage": stage, "live": tenant.releases.live().number}))
                })
                .await
            }
            Action::Abort => {
                let tenant = tenant.ok_or_else(no_tenant)?;
                tenant.releases.abort("by order").map_err(no_candidate)?;
                Ok(views::summary(&tenant))
            }
            Action::RollBack => {
                let (tenant, to) = (tenant.ok_or_else(no_tenant)?, call.number("version")?);
                blocking(move || {
                    let version = control.publisher.roll_back(&tenant, to).map_err(cannot_roll_back)?;
                    Ok(views::version(&version))
                })
                .await
            }
            Action::Drain | Action::Resume => {
                let tenant = tenant.ok_or_else(no_tenant)?;
                tenant.drain(call.action == Action::Drain);
                tracing::warn!(tenant = %tenant.name, drained = tenant.is_drained(), "by order");
                Ok(json!({"drained": tenant.is_drained(), "requests_in_flight": tenant.usage.requests.now()}))
            }
            Action::Failures => {
                let tenants = control.tenants();
                let of_tenants = tenants.values().flat_map(|tenant| {
                    let failures = tenant.releases.failures();
                    let view = |failed| {
                        let mut view = views::failure(failed);
                        if let Some(view) = view.as_object_mut() {
                            view.insert("tenant".to_owned(), json!(&*tenant.name));
                        }
                        view
                    };
                    failures.iter().map(view).collect::<Vec<_>>()
                });
                Ok(json!({"failures": of_tenants.collect::<Vec<_>>()}))
            }
            Action::Reload => {
                blocking(move || {
                    let changes = control.reload().map_err(config_refused)?;
                    tracing::info!(added = ?changes.added, changed = ?changes.changed, removed = ?changes.removed,
                        "configuration reloaded");
                    Ok(json!(changes))
                })
                .await
            }
        }
    }

    fn tenant(&self, name: &str) -> Result<Arc<Tenant>, ApiError> {
        let tenants = self.control.tenants();
        tenants.get(name).cloned().ok_or_else(|| no_such_tenant(name, tenants.keys()))
    }
}

#[async_trait]
impl ServeHttp for Admin {
    async fn response(&self, session: &mut ServerSession) -> Response<Vec<u8>> {
        let is_head = session.req_header().method == Method::HEAD;
        let (status, (content_type, body)) = match self.answer(session).await {
            Ok(body) => (StatusCode::OK, body),
            Err(error) => {
                // What is left of a body is not read: nothing can follow it.
                session.set_keepalive(None);
                let mut text = serde_json::to_vec_pretty(&error.json()).unwrap_or_default();
                text.push(b'\n');
                (error.code.status(), (JSON, text))
            }
        };
        let length = body.len();
        let mut response = Response::new(if is_head { Vec::new() } else { body });
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_LENGTH, length.into());
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        response
    }
}

/// The body of a request, no larger than a module may be.
async fn body(session: &mut ServerSession) -> Result<Vec<u8>, ApiError> {
    let mut body = Vec::new();
    let failed = |error: Box<pingora::Error>| ApiError::new(Code::BadRequest, format!("the body: {error}"));
    while let Some(part) = session.read_request_body().await.map_err(failed)? {
        body.extend_from_slice(&part);
        if u64::try_from(body.len()).is_ok_and(|length| length > LARGEST_FILE) {
            return Err(ApiError::new(Code::TooLarge, format!("a module may have {LARGEST_FILE} bytes at most")));
        }
    }
    Ok(body)
}

async fn blocking(work: impl FnOnce() -> Result<Value, ApiError> + Send + 'static) -> Result<Value, ApiError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(ApiError::new(Code::Internal, error.to_string())),
    }
}

fn stage(text: &str) -> Result<Stage, ApiError> {
    let found = Stage::ALL.iter().find(|(name, _)| *name == text);
    found
        .map(|(_, stage)| *stage)
        .ok_or_else(|| ApiError::new(Code::BadRequest, "a stage is `shadow`, `canary` or `live`"))
}

fn has_module(tenant: &Tenant, position: usize) -> Result<(), ApiError> {
    let modules = tenant.config.modules.len();
    match position < modules {
        true => Ok(()),
        false => Err(ApiError::new(
            Code::NoSuchModule,
            format!("the tenant has {modules} modules; `position` counts from 0"),
        )),
    }
}

fn refused(refused: Arc<Refused>) -> ApiError {
    ApiError { code: Code::Refused, message: refused.to_string(), step: Some(refused.step.name()) }
}

fn no_candidate(error: NoCandidate) -> ApiError {
    ApiError::new(Code::NoCandidate, error.to_string())
}

fn cannot_roll_back(error: CannotRollBack) -> ApiError {
    let code = match error {
        CannotRollBack::NoPrevious => Code::NothingToRollBackTo,
        CannotRollBack::Unknown(_) => Code::NoSuchVersion,
        CannotRollBack::IsLive(_) => Code::AlreadyLive,
    };
    ApiError::new(code, error.to_string())
}

fn config_refused(error: ReloadError) -> ApiError {
    ApiError::new(Code::ConfigRefused, error.to_string())
}
