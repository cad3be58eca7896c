//! Groups of upstreams, and the health checks that Pingora's load balancer runs on their members.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderValue, header};
use pingora::http::RequestHeader;
use pingora::lb::discovery::Static;
use pingora::lb::health_check::{HealthCheck, HealthObserve, HttpHealthCheck, TcpHealthCheck};
use pingora::lb::{Backend, Backends};
use pointsman_rules::check::Target;
use pointsman_rules::config::{GroupConfig, HealthCheckConfig, Probe};
use pointsman_rules::contract::Health;
use pointsman_rules::stores::Group;

/// A group as one configuration defines it: its state as decisions see it, and the checks that keep the state current.
pub struct CheckedGroup {
    pub config: GroupConfig,
    pub group: Arc<Group>,
    checks: Option<Checks>,
}

struct Checks {
    backends: Backends,
    /// One for each member, in the group's order.
    members: Vec<Backend>,
    interval: Duration,
    /// Whether every member has been checked once.
    tried: Arc<AtomicBool>,
}

/// Stores health changes in the group and logs them for the operator.
struct Observer {
    tenant: String,
    group: Arc<Group>,
    members: Vec<Backend>,
    tried: Arc<AtomicBool>,
}

impl CheckedGroup {
    /// # Errors
    /// If no health check can be built from the configuration.
    pub fn new(tenant: &str, config: &GroupConfig) -> Result<CheckedGroup, String> {
        let target =
            |address: &SocketAddr| Target::Socket(SocketAddr::new(address.ip().to_canonical(), address.port()));
        let group = Arc::new(Group::new(&config.name, config.addresses.iter().map(target)));
        let checks = config.health_check.as_ref().map(|check| checks(tenant, config, check, &group)).transpose()?;
        Ok(CheckedGroup { config: config.clone(), group, checks })
    }

    /// Runs the group's health checks for as long as the group exists. Returns at once if it has none.
    pub async fn check(group: Weak<CheckedGroup>) {
        while let Some(checked) = group.upgrade() {
            let Some(checks) = &checked.checks else { return };
            checks.round(&checked.group).await;
            let interval = checks.interval;
            drop(checked);
            tokio::time::sleep(interval).await;
        }
    }
}

impl Checks {
    async fn round(&self, group: &Group) {
        if !self.tried.load(Ordering::Acquire) {
            // Loads the members; discovery is static, so this never fails.
            let _ = self.backends.update(|_| {}).await;
        }
        self.backends.run_health_check(true).await;
        if !self.tried.swap(true, Ordering::AcqRel) {
            for (place, member) in self.members.iter().enumerate() {
                group.set_health(place, health(self.backends.ready(member)));
            }
        }
    }
}

impl fmt::Debug for CheckedGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CheckedGroup({})", self.config.name)
    }
}

fn checks(tenant: &str, config: &GroupConfig, check: &HealthCheckConfig, group: &Arc<Group>) -> Result<Checks, String> {
    let backend =
        |address: &SocketAddr| Backend::new(&address.to_string()).map_err(|error| format!("`{address}`: {error}"));
    let members: Vec<Backend> = config.addresses.iter().map(backend).collect::<Result<_, String>>()?;
    let mut backends = Backends::new(Static::new(members.iter().cloned().collect()));
    let tried = Arc::new(AtomicBool::new(false));
    let observer =
        Observer { tenant: tenant.to_owned(), group: group.clone(), members: members.clone(), tried: tried.clone() };
    backends.set_health_check(health_check(check, &config.addresses, observer)?);
    Ok(Checks { backends, members, interval: check.interval, tried })
}

fn health(is_ready: bool) -> Health {
    if is_ready { Health::Healthy } else { Health::Unhealthy }
}

fn health_check(
    config: &HealthCheckConfig,
    addresses: &[SocketAddr],
    observer: Observer,
) -> Result<Box<dyn HealthCheck + Send + Sync>, String> {
    let times = |times: u32| usize::try_from(times).unwrap_or(usize::MAX);
    match &config.probe {
        Probe::Tcp => {
            let mut check = TcpHealthCheck::new();
            check.peer_template.options.connection_timeout = Some(config.timeout);
            check.consecutive_success = times(config.successes);
            check.consecutive_failure = times(config.failures);
            check.health_changed_callback = Some(Box::new(observer));
            Ok(check)
        }
        Probe::Http { path, host } => {
            let address = addresses.first().map(ToString::to_string).unwrap_or_default();
            let host = host.as_ref().unwrap_or(&address);
            let mut check = HttpHealthCheck::new(host, false);
            let failed = |error: Box<pingora::Error>| error.to_string();
            let mut request = RequestHeader::build("GET", path.as_bytes(), Some(2)).map_err(failed)?;
            let host = HeaderValue::from_str(host).map_err(|error| error.to_string())?;
            request.insert_header(header::HOST, host).map_err(failed)?;
            request.insert_header(header::USER_AGENT, "pointsman-health-check").map_err(failed)?;
            check.req = request;
            let options = &mut check.peer_template.options;
            options.connection_timeout = Some(config.timeout);
            options.total_connection_timeout = Some(config.timeout);
            options.read_timeout = Some(config.timeout);
            options.write_timeout = Some(config.timeout);
            check.consecutive_success = times(config.successes);
            check.consecutive_failure = times(config.failures);
            check.health_changed_callback = Some(Box::new(observer));
            Ok(Box::new(check))
        }
    }
}

#[async_trait]
impl HealthObserve for Observer {
    /// Called when a member's health changes.
    async fn observe(&self, target: &Backend, healthy: bool) {
        let (tenant, group, address) = (&self.tenant, self.group.name(), &target.addr);
        if healthy {
            tracing::info!(%tenant, %group, %address, "upstream is healthy");
        } else {
            tracing::warn!(%tenant, %group, %address, "upstream is unhealthy");
        }
        // During the first round, `round` sets the health of all members once every one has been checked.
        if self.tried.load(Ordering::Acquire) {
            let places = self.members.iter().enumerate().filter(|(_, member)| member.addr == target.addr);
            places.for_each(|(place, _)| self.group.set_health(place, health(healthy)));
        }
    }
}
