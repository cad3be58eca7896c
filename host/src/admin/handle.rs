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
use crate::module::{Digest, LARGEST_FILE, Module};
use crate::release::{CannotRollBack, NoCandidate, NotKept, Refused, Trial, Uploaded};
use crate::server::{Control, Frozen, NoTenant, ReloadError};
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
                if !control.publisher.keeps_state() {
                    let message = "an upload has to outlive the process: configure `proxy.state_dir`";
                    return Err(ApiError::new(Code::NoStateDir, message));
                }
                let tenant = tenant.ok_or_else(no_tenant)?;
                let trial = trial(call, Trial::of(&tenant.config.release))?;
                upload(control, tenant, call.number("position")?.unwrap_or(0), body, Some(trial)).await
            }
            Action::Validate => {
                let tenant = tenant.ok_or_else(no_tenant)?;
                upload(control, tenant, call.number("position")?.unwrap_or(0), body, None).await
            }
            Action::Promote => {
                let (tenant, to) = (tenant.ok_or_else(no_tenant)?, call.parameter("to").map(stage).transpose()?);
                let percent = percent(call)?;
                if to == Some(Stage::Canary) && percent.unwrap_or(tenant.config.release.canary_percent) == 0 {
                    return Err(serves_nobody());
                }
                blocking(move || {
                    let _changing = control.change().map_err(frozen)?;
                    let trial = control.publisher.promote(&tenant, to, percent).map_err(no_candidate)?;
                    control.publisher.ensure_kept(&tenant).map_err(not_kept)?;
                    Ok(json!({"stage": trial.stage, "percent": share(trial), "live": tenant.releases.live().number}))
                })
                .await
            }
            Action::Abort => {
                let tenant = tenant.ok_or_else(no_tenant)?;
                blocking(move || {
                    let _changing = control.change().map_err(frozen)?;
                    control.publisher.abort(&tenant).map_err(no_candidate)?;
                    control.publisher.ensure_kept(&tenant).map_err(not_kept)?;
                    Ok(views::summary(&tenant))
                })
                .await
            }
            Action::RollBack => {
                let (tenant, to) = (tenant.ok_or_else(no_tenant)?, call.number("version")?);
                blocking(move || {
                    let _changing = control.change().map_err(frozen)?;
                    let version = control.publisher.roll_back(&tenant, to).map_err(cannot_roll_back)?;
                    control.publisher.ensure_kept(&tenant).map_err(not_kept)?;
                    Ok(views::version(&version))
                })
                .await
            }
            Action::Drain | Action::Resume => {
                let (tenant, drained) = (tenant.ok_or_else(no_tenant)?, call.action == Action::Drain);
                blocking(move || {
                    let _changing = control.change().map_err(frozen)?;
                    control.publisher.drain(&tenant, drained);
                    tracing::warn!(tenant = %tenant.name, drained, "requested by an operator");
                    control.publisher.ensure_kept(&tenant).map_err(not_kept)?;
                    Ok(json!({"drained": drained, "requests_in_flight": tenant.usage.requests.now()}))
                })
                .await
            }
            Action::Failures => {
                let tenants = control.tenants();
                let of_tenants = tenants.values().flat_map(|tenant| {
                    let failures = tenant.releases.failures();
                    failures.iter().map(|failed| (failed.at, views::failure(failed, &tenant.name))).collect::<Vec<_>>()
                });
                let of_reloads = control.failures();
                let of_reloads = of_reloads.iter().map(|failed| (failed.at, views::failed_reload(failed)));
                let mut all: Vec<_> = of_tenants.chain(of_reloads).collect();
                all.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
                Ok(json!({"failures": all.into_iter().map(|(_, view)| view).collect::<Vec<_>>()}))
            }
            Action::Reload => blocking(move || Ok(json!(control.reload().map_err(config_refused)?))).await,
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

/// Takes a module through every step; with `trial`, to what serves.
async fn upload(
    control: Arc<Control>,
    tenant: Arc<Tenant>,
    position: usize,
    body: Vec<u8>,
    trial: Option<Trial>,
) -> Result<Value, ApiError> {
    has_module(&tenant, position)?;
    blocking(move || {
        let _changing = trial.map(|_| control.change()).transpose().map_err(frozen)?;
        let done = control.alone(&tenant.name, |tenant| control.publisher.upload(tenant, position, body, trial));
        let gone = |error: NoTenant| ApiError::new(Code::NoSuchTenant, error.to_string());
        let Uploaded { modules, tests, version, not_kept: failed } = done.map_err(gone)?.map_err(refused)?;
        let Some((version, trial)) = version.zip(trial) else {
            let digests: Vec<Digest> = modules.iter().map(Module::digest).collect();
            return Ok(json!({"valid": true, "modules": digests, "tests": tests}));
        };
        if let Some(error) = failed {
            return Err(not_kept(error));
        }
        let mut view = views::version(&version);
        if let Some(view) = view.as_object_mut() {
            view.insert("stage".to_owned(), json!(trial.stage));
            view.insert("percent".to_owned(), json!(share(trial)));
            view.insert("tests".to_owned(), json!(tests));
        }
        Ok(view)
    })
    .await
}

fn frozen(error: Frozen) -> ApiError {
    ApiError::new(Code::UpgradeUnderWay, error.to_string())
}

/// What a request says of a trial, where it differs from the tenant's configuration.
fn trial(call: &Call<'_>, configured: Trial) -> Result<Trial, ApiError> {
    let stage = call.parameter("stage").map(stage).transpose()?.unwrap_or(configured.stage);
    let percent = percent(call)?.unwrap_or(configured.percent);
    match stage == Stage::Canary && percent == 0 {
        true => Err(serves_nobody()),
        false => Ok(Trial { stage, percent }),
    }
}

fn percent(call: &Call<'_>) -> Result<Option<u32>, ApiError> {
    match call.number("percent")? {
        Some(percent) if !(1..=100).contains(&percent) => {
            Err(ApiError::new(Code::BadRequest, "`percent` is from 1 to 100"))
        }
        percent => Ok(percent),
    }
}

fn serves_nobody() -> ApiError {
    let message = "a canary of 0 % (release.canary_percent) serves nobody: say how many with `percent`";
    ApiError::new(Code::BadRequest, message)
}

/// Of the clients, where that is what a trial is about.
fn share(trial: Trial) -> Option<u32> {
    (trial.stage == Stage::Canary).then_some(trial.percent)
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

fn not_kept(error: NotKept) -> ApiError {
    ApiError::new(Code::NotKept, crate::text::chain(&error))
}

fn no_candidate(error: NoCandidate) -> ApiError {
    ApiError::new(Code::NoCandidate, error.to_string())
}

fn cannot_roll_back(error: CannotRollBack) -> ApiError {
    let code = match error {
        CannotRollBack::NoPrevious => Code::NothingToRollBackTo,
        CannotRollBack::Unknown(_) => Code::NoSuchVersion,
        CannotRollBack::IsLive(_) => Code::AlreadyLive,
        CannotRollBack::OnTrial(_) => Code::OnTrial,
        CannotRollBack::NotLoaded { .. } => Code::Refused,
    };
    ApiError::new(code, error.to_string())
}

fn config_refused(error: ReloadError) -> ApiError {
    let code = match error {
        ReloadError::Frozen(_) => Code::UpgradeUnderWay,
        _ => Code::ConfigRefused,
    };
    ApiError::new(code, error.to_string())
}
