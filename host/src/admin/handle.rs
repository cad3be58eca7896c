//! Handles a request to the API: checks access, does the operation, sends the answer.

use std::cmp::Reverse;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use http::{HeaderValue, Method, Response, StatusCode, Uri, Version, header};
use pingora::apps::http_app::ServeHttp;
use pingora::http::RequestHeader;
use pingora::protocols::http::ServerSession;
use pointsman_rules::config::Stage;
use pointsman_wasm::module::{LARGEST_FILE, Module};
use serde::Serialize;

use crate::admin::answer::no_such_tenant;
use crate::admin::describe::Description;
use crate::admin::routes::Call;
use crate::admin::{Access, Action, ApiError, Caller, views};
use crate::api::{self, Code};
use crate::control::{ChangesFrozen, Control, NoTenant, ReloadError};
use crate::release::{NotSaved, UploadOutcome};
use crate::tenant::Tenant;
use crate::versions::{CannotRollBack, NoCandidate, ReleaseFailure, Trial};

/// Serves the admin API on one listener.
pub struct Admin {
    control: Arc<Control>,
    access: Access,
}

/// Generated once: its schemas are many.
static DESCRIPTION: LazyLock<Description> = LazyLock::new(Description::new);

const JSON: &str = "application/json";
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A response body: its content type and its bytes.
type Body = (&'static str, Vec<u8>);

impl Admin {
    pub fn new(control: Arc<Control>, access: Access) -> Admin {
        Admin { control, access }
    }

    async fn answer(&self, session: &mut ServerSession) -> Result<Body, ApiError> {
        let ip = session.client_addr().and_then(|address| address.as_inet()).map(|address| address.ip());
        let head = session.req_header();
        let (method, uri) = (head.method.clone(), head.uri.clone());
        let caller = Caller { ip, uri: &uri, version: head.version, headers: &head.headers };
        let call = self.permitted(caller, &method, &uri)?;
        let body = body(session, call.action).await?;
        self.done(&call, body).await
    }

    /// Parses a request and checks that its sender may make it. Nothing of its body has been read yet.
    fn permitted<'u>(&self, caller: Caller<'_>, method: &Method, uri: &'u Uri) -> Result<Call<'u>, ApiError> {
        let now = Instant::now();
        let judged = || -> Result<Call<'u>, ApiError> {
            self.access.admit(caller)?;
            let call = Call::new(method, uri.path(), uri.query())?;
            if call.action != Action::Metrics {
                self.access.judge(caller, now)?;
            }
            Ok(call)
        };
        let judged = judged();
        if let Err(error) = &judged
            && error.code.is_of_access()
        {
            self.control.metrics.admin_refused(error.code.name());
            self.access.log_refusal(caller, error, now);
        }
        judged
    }

    /// Does the operation. Builds and file access are slow, so they do not run on a thread that serves.
    async fn done(&self, call: &Call<'_>, body: Vec<u8>) -> Result<Body, ApiError> {
        let tenant = call.tenant.as_deref().map(|name| self.tenant(name)).transpose()?;
        let no_tenant = || ApiError::new(Code::Internal, "a path without its tenant");
        let control = self.control.clone();
        match call.action {
            Action::Metrics => {
                control.refresh_metrics();
                let text = control.metrics.text();
                let text = text.map_err(|error| ApiError::new(Code::Internal, error.to_string()))?;
                Ok((METRICS, text.into_bytes()))
            }
            Action::Describe => Ok(json(&*DESCRIPTION)),
            Action::ListTenants => {
                let tenants = control.tenants().values().map(|tenant| views::summary(tenant)).collect();
                Ok(json(&api::TenantList { tenants }))
            }
            Action::ShowTenant => Ok(json(&views::details(&*tenant.ok_or_else(no_tenant)?))),
            Action::Upload => {
                let tenant = tenant.ok_or_else(no_tenant)?;
                let trial = trial(call, Trial::of(&tenant.config.release))?;
                let position = position(call);
                if !control.publisher.saves_state() {
                    let message = "an upload has to outlive the process: configure `proxy.state_dir`";
                    return Err(ApiError::new(Code::NoStateDir, message));
                }
                has_module(&tenant, position)?;
                blocking(move || {
                    let _changing = control.change().map_err(frozen)?;
                    let uploaded = upload(&control, &tenant.name, position, body, Some(trial))?;
                    let version = uploaded.version.ok_or_else(|| ApiError::new(Code::Internal, "no version"))?;
                    uploaded.not_saved.map_or(Ok(()), |error| Err(not_saved(error)))?;
                    Ok(api::NewVersion {
                        version: views::version(&version),
                        stage: trial.stage,
                        percent: trial.share(),
                        tests: uploaded.tests,
                    })
                })
                .await
            }
            Action::Validate => {
                let tenant = tenant.ok_or_else(no_tenant)?;
                let position = position(call);
                has_module(&tenant, position)?;
                blocking(move || {
                    let UploadOutcome { modules, tests, .. } = upload(&control, &tenant.name, position, body, None)?;
                    let modules = modules.iter().map(Module::digest).collect();
                    Ok(api::Validation { valid: true, modules, tests })
                })
                .await
            }
            Action::Promote => {
                let (tenant, to, percent) = (tenant.ok_or_else(no_tenant)?, call.stage("to"), percent(call));
                if to == Some(Stage::Canary) && percent.unwrap_or(tenant.config.release.canary_percent) == 0 {
                    return Err(serves_nobody());
                }
                blocking(move || {
                    let _changing = control.change().map_err(frozen)?;
                    let trial = control.publisher.promote(&tenant, to, percent).map_err(no_candidate)?;
                    control.publisher.ensure_saved(&tenant).map_err(not_saved)?;
                    let live = tenant.releases.live().number;
                    Ok(api::Promotion { stage: trial.stage, percent: trial.share(), live })
                })
                .await
            }
            Action::Abort => {
                let tenant = tenant.ok_or_else(no_tenant)?;
                blocking(move || {
                    let _changing = control.change().map_err(frozen)?;
                    control.publisher.abort(&tenant).map_err(no_candidate)?;
                    control.publisher.ensure_saved(&tenant).map_err(not_saved)?;
                    Ok(views::summary(&tenant))
                })
                .await
            }
            Action::RollBack => {
                let (tenant, to) = (tenant.ok_or_else(no_tenant)?, call.number("version"));
                blocking(move || {
                    let _changing = control.change().map_err(frozen)?;
                    let version = control.publisher.roll_back(&tenant, to).map_err(cannot_roll_back)?;
                    control.publisher.ensure_saved(&tenant).map_err(not_saved)?;
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
                    control.publisher.ensure_saved(&tenant).map_err(not_saved)?;
                    Ok(api::DrainState { drained, requests_in_flight: tenant.usage.requests.now() })
                })
                .await
            }
            Action::Failures => {
                let mut failures: Vec<api::Failure> = control.failures().iter().map(views::failed_reload).collect();
                for tenant in control.tenants().values() {
                    failures
                        .extend(tenant.releases.failures().iter().map(|failed| views::failure(failed, &tenant.name)));
                }
                failures.sort_by_key(|failure| Reverse(failure.at));
                Ok(json(&api::FailureList { failures }))
            }
            Action::Reload => blocking(move || control.reload().map_err(config_refused)).await,
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
        let mut response = match self.answer(session).await {
            Ok(body) => response(StatusCode::OK, body),
            Err(error) => {
                drop_body(session);
                refusal(&error)
            }
        };
        if is_head {
            response.body_mut().clear();
        }
        response
    }
}

/// The response to a request that failed.
pub fn refusal(error: &ApiError) -> Response<Vec<u8>> {
    let mut response = response(error.code.status(), json(&error.body()));
    error.headers(response.headers_mut());
    response
}

fn response(status: StatusCode, (content_type, body): Body) -> Response<Vec<u8>> {
    let length = body.len();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, length.into());
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    // The answer holds only at this moment, and no page may run it as a script.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn json(answer: &impl Serialize) -> Body {
    let mut text = serde_json::to_vec_pretty(answer).unwrap_or_default();
    text.push(b'\n');
    (JSON, text)
}

/// Reads the body of a request, at most as large as a module may be. Empty if the operation takes none.
async fn body(session: &mut ServerSession, action: Action) -> Result<Vec<u8>, ApiError> {
    let too_large = || ApiError::new(Code::TooLarge, format!("a module may have {LARGEST_FILE} bytes at most"));
    let failed = |error: Box<pingora::Error>| ApiError::new(Code::BadRequest, format!("the body: {error}"));
    let head = session.req_header();
    let waits = waits_to_be_asked(head);
    let declared = head.headers.get(header::CONTENT_LENGTH);
    let declared = declared.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if action.takes_body() && declared.is_some_and(|length| length > LARGEST_FILE) {
        return Err(too_large());
    }
    if action.takes_body() && waits {
        session.write_continue_response().await.map_err(failed)?;
    }
    let mut body = Vec::new();
    while let Some(part) = session.read_request_body().await.map_err(failed)? {
        body.extend_from_slice(&part);
        if !body.is_empty() && !action.takes_body() {
            return Err(ApiError::new(Code::BadRequest, "a body is not wanted here: send none"));
        }
        if u64::try_from(body.len()).is_ok_and(|length| length > LARGEST_FILE) {
            return Err(too_large());
        }
    }
    Ok(body)
}

/// Discards the rest of a body after the answer: a client that is still sending would get a reset, and not see the
/// reason.
fn drop_body(session: &mut ServerSession) {
    /// How long the client may go on sending.
    const LONGEST: Duration = Duration::from_secs(5);
    if waits_to_be_asked(session.req_header()) {
        // The client may or may not send its body nevertheless, so no other request can follow.
        session.set_keepalive(None);
    } else {
        session.set_close_on_response_before_downstream_finish(false);
        session.set_total_drain_timeout(Some(LONGEST));
    }
}

/// Whether the client waits for `100 Continue` before it sends its body (RFC 9110, section 10.1.1).
fn waits_to_be_asked(head: &RequestHeader) -> bool {
    let expects = head.headers.get(header::EXPECT);
    head.version == Version::HTTP_11
        && expects.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// Runs slow work on a thread of its own.
async fn blocking<T: Serialize + Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<Body, ApiError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map(|answer| json(&answer)),
        Err(error) => Err(ApiError::new(Code::Internal, error.to_string())),
    }
}

/// Takes a module through every step; with `trial`, releases it.
fn upload(
    control: &Control,
    tenant: &str,
    position: usize,
    body: Vec<u8>,
    trial: Option<Trial>,
) -> Result<UploadOutcome, ApiError> {
    let done = control.alone(tenant, |tenant| control.publisher.upload(tenant, position, body, trial));
    let gone = |error: NoTenant| ApiError::new(Code::NoSuchTenant, error.to_string());
    done.map_err(gone)?.map_err(refused)
}

fn frozen(error: ChangesFrozen) -> ApiError {
    ApiError::new(Code::UpgradeUnderWay, error.to_string())
}

/// The trial that a request asks for, where it differs from the tenant's configuration.
fn trial(call: &Call<'_>, configured: Trial) -> Result<Trial, ApiError> {
    let stage = call.stage("stage").unwrap_or(configured.stage);
    let percent = percent(call).unwrap_or(configured.percent);
    match stage == Stage::Canary && percent == 0 {
        true => Err(serves_nobody()),
        false => Ok(Trial { stage, percent }),
    }
}

fn percent(call: &Call<'_>) -> Option<u32> {
    call.number("percent").and_then(|percent| u32::try_from(percent).ok())
}

/// The position of a module among the tenant's. One that does not fit is beyond all of them.
fn position(call: &Call<'_>) -> usize {
    call.number("position").map_or(0, |position| usize::try_from(position).unwrap_or(usize::MAX))
}

fn serves_nobody() -> ApiError {
    let message = "a canary of 0 % (release.canary_percent) serves no client: set the percentage with `percent`";
    ApiError::of_parameter("percent", message)
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

fn refused(refused: Arc<ReleaseFailure>) -> ApiError {
    ApiError { step: Some(refused.step), ..ApiError::new(Code::Refused, refused.to_string()) }
}

fn not_saved(error: NotSaved) -> ApiError {
    ApiError::new(Code::NotSaved, pointsman_rules::text::chain(&error))
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
        ReloadError::ChangesFrozen(_) => Code::UpgradeUnderWay,
        _ => Code::ConfigRefused,
    };
    ApiError::new(code, error.to_string())
}
