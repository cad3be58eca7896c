//! Groups of upstreams, and the health checks that Pingora's load balancer makes of them.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Weak;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderValue, header};
use pingora::http::RequestHeader;
use pingora::lb::discovery::Static;
use pingora::lb::health_check::{HealthCheck, HealthObserve, HttpHealthCheck, TcpHealthCheck};
use pingora::lb::{Backend, Backends};

use crate::check::Target;
use crate::config::{GroupConfig, HealthCheckConfig, Probe};
use crate::raw::Health;

/// Upstreams of one name.
pub struct Group {
    pub config: GroupConfig,
    members: Vec<Member>,
    health: Option<Checked>,
}

struct Member {
    target: Target,
    backend: Backend,
}

struct Checked {
    backends: Backends,
    interval: Duration,
    /// Whether every member has been tried.
    tried: AtomicBool,
}

/// Tells the operator of changes.
struct Observer {
    tenant: String,
    group: String,
}

impl Group {
    /// # Errors
    /// If a health check can't be made of the configuration.
    pub fn new(tenant: &str, config: &GroupConfig) -> Result<Group, String> {
        let backend = |address: &std::net::SocketAddr| {
            Backend::new(&address.to_string()).map_err(|error| format!("`{address}`: {error}"))
        };
        let members = config.addresses.iter().map(|address| {
            let target = Target::Socket(std::net::SocketAddr::new(address.ip().to_canonical(), address.port()));
            Ok(Member { target, backend: backend(address)? })
        });
        let members: Vec<Member> = members.collect::<Result<_, String>>()?;
        let health = match &config.health_check {
            None => None,
            Some(check) => {
                let all: BTreeSet<Backend> = members.iter().map(|member| member.backend.clone()).collect();
                let mut backends = Backends::new(Static::new(all));
                let observer = Observer { tenant: tenant.to_owned(), group: config.name.clone() };
                backends.set_health_check(health_check(check, &config.addresses, observer)?);
                Some(Checked { backends, interval: check.interval, tried: AtomicBool::new(false) })
            }
        };
        Ok(Group { config: config.clone(), members, health })
    }

    /// Its members, in their order.
    pub fn members(&self) -> impl Iterator<Item = (&Target, Health)> {
        self.members.iter().map(|member| (&member.target, self.health_of(&member.backend)))
    }

    /// Makes health checks for as long as there is the group, if there are any to be made.
    pub async fn check(group: Weak<Group>) {
        let mut first = true;
        while let Some(group) = group.upgrade() {
            let Some(checked) = &group.health else { return };
            if std::mem::take(&mut first) {
                // Takes over the members; they are static, so this never fails.
                let _ = checked.backends.update(|_| {}).await;
            }
            checked.backends.run_health_check(true).await;
            checked.tried.store(true, Ordering::Release);
            let interval = checked.interval;
            drop(group);
            tokio::time::sleep(interval).await;
        }
    }

    fn health_of(&self, backend: &Backend) -> Health {
        match &self.health {
            Some(checked) if checked.tried.load(Ordering::Acquire) => match checked.backends.ready(backend) {
                true => Health::Healthy,
                false => Health::Unhealthy,
            },
            Some(_) | None => Health::Unknown,
        }
    }
}

fn health_check(
    config: &HealthCheckConfig,
    addresses: &[std::net::SocketAddr],
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
    async fn observe(&self, target: &Backend, healthy: bool) {
        let (tenant, group, address) = (&self.tenant, &self.group, &target.addr);
        if healthy {
            tracing::info!(%tenant, %group, %address, "upstream is healthy");
        } else {
            tracing::warn!(%tenant, %group, %address, "upstream is unhealthy");
        }
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Group({})", self.config.name)
    }
}
