//! `pointsman decide`: takes one request through call and check, offline.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use http::{Method, Uri};
use ipnet::{Ipv4Net, Ipv6Net};
use pointsman_rules::check::OwnAddresses;
use pointsman_rules::config::{
    self, BreakerConfig, Config, Fallback, Grants, HostPattern, Matching, ModuleConfig, Quota, ReleaseConfig,
    TenantConfig, TenantLimits, Warm,
};
use pointsman_rules::inputs::Inputs;
use pointsman_rules::request::{OfflineRequest, RequestHead, attempts};
use pointsman_rules::tenant_lookup::TenantTable;
use pointsman_rules::text::json_pretty;
use pointsman_wasm::module::{Loader, read};

use crate::api::Origin;
use crate::cli::Outcome;
use crate::cli::report::{CallRecord, Report};
use crate::credentials::Credentials;
use crate::evaluate::{Question, evaluate};
use crate::metrics::Metrics;
use crate::release::warm_up;
use crate::tenant::{Modules, Tenant, TenantDeps};
use crate::versions::Version;

pub const EXAMPLES: &str = "\
Examples:
  pointsman decide --module fixed.wasm http://shop.example/
  pointsman decide --module canary.wasm --module-config '{\"percent\": 10}' -H 'cookie: session=7' http://shop.example/
  pointsman decide --config pointsman.toml -H 'x-canary: 1' https://shop.example/cart?x=1
  pointsman decide --module failover.wasm --failed 192.0.2.1:80=connect/refused http://shop.example/";

#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("whose").required(true).args(["config", "module"])))]
pub struct Arguments {
    /// The request's URL; its authority chooses the tenant
    #[arg(value_name = "URL")]
    url: Uri,
    /// Take the tenant, its modules and limits from a configuration
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Ask this module, with default limits and every grant
    #[arg(short, long, value_name = "FILE")]
    module: Option<PathBuf>,
    /// The configuration of `--module`, as JSON
    #[arg(long, value_name = "JSON", requires = "module", default_value = "{}")]
    module_config: String,
    /// The request's method
    #[arg(short = 'X', long, value_name = "METHOD", default_value = "GET")]
    method: Method,
    /// A request header; may be given many times
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// The client's address
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    client_ip: IpAddr,
    /// The listener's name, as the module sees it
    #[arg(long, value_name = "NAME", default_value = "cli")]
    listener: String,
    /// An attempt that failed before, oldest first; may be given many times
    #[arg(long, value_name = "ADDRESS=STAGE/FAILURE")]
    failed: Vec<String>,
}

pub fn decide(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let inputs = Inputs::after(Arc::new(head(arguments)?), &attempts(&arguments.failed)?);
    let (config, credentials, own) = match tenant(arguments, &inputs.head)? {
        Ok(found) => found,
        Err(problems) => {
            eprintln!("{problems}");
            return Ok(Outcome::Refused);
        }
    };

    let loader = Loader::new(1, 0)?;
    let mut modules = Vec::new();
    for module in &config.modules {
        let load = |bytes: Vec<u8>| {
            let warm_up = warm_up(module, bytes.len());
            loader.load_warm(&bytes, module.config.clone(), &config.limits, warm_up.as_ref())
        };
        match read(&module.path).and_then(load) {
            Ok(loaded) => modules.push(loaded),
            Err(error) => {
                eprintln!("module `{}`: {}", module.path.display(), pointsman_rules::text::chain(&error));
                return Ok(Outcome::Refused);
            }
        }
    }
    let own = Arc::new(own);
    let new_tenant = || {
        let metrics = Metrics::new()?;
        let around = TenantDeps {
            credentials: &credentials,
            own: &own,
            metrics: &metrics,
            threads: 1,
            share: config::Share::ALL,
        };
        let modules = Modules { live: Version::new(1, modules.clone(), Origin::Start), fallback: Vec::new() };
        anyhow::Ok(Tenant::new(&config, modules, around))
    };
    // Decided twice, by two tenants: the time shown is that of a proxy that has been running, not of cold code, and the
    // modules' stored state is new.
    let (warm_up, tenant) = match (new_tenant()?, new_tenant()?) {
        (Ok(warm_up), Ok(tenant)) => (warm_up, tenant),
        (Err(error), _) | (_, Err(error)) => {
            eprintln!("tenant `{}`: {}", config.name, pointsman_rules::text::chain(&error));
            return Ok(Outcome::Refused);
        }
    };
    let terms = tenant.terms();
    let ask_of = |tenant| Question { tenant, modules: &modules, stores: &tenant.stores, terms: &terms, cache: None };
    let _ = evaluate(ask_of(&warm_up), &inputs);
    let (action, calls) = evaluate(ask_of(&tenant), &inputs);
    let paths = config.modules.iter().map(|module| module.path.display().to_string());
    let calls = paths.zip(&calls).map(|(path, call)| CallRecord::new(path, call, &inputs)).collect();
    println!("{}", json_pretty(&Report::new(&config, calls, &action)));
    Ok(if action.is_ok() { Outcome::Success } else { Outcome::Refused })
}

/// The tenant that serves a request, all credentials, and the proxy's own addresses as far as they are known offline.
type TenantSetup = (TenantConfig, Credentials, OwnAddresses);

/// The tenant that the arguments select, or an error in the configuration.
fn tenant(arguments: &Arguments, head: &RequestHead) -> anyhow::Result<Result<TenantSetup, String>> {
    if let Some(path) = &arguments.module {
        let config = tenant_of_module("cli", path, &arguments.module_config)?;
        return Ok(Ok((config, Credentials::default(), OwnAddresses::default())));
    }
    let Some(file) = &arguments.config else { bail!("either --config or --module is needed") };
    let config: Config = match config::load(file) {
        Ok(config) => config,
        Err(errors) => return Ok(Err(errors.to_string())),
    };
    let claims = config.tenants.iter().map(|tenant| (&tenant.matching, tenant));
    let sni = head.tls().and_then(|tls| tls.sni.as_deref());
    match TenantTable::new(claims).owner(head.listener(), sni, head.authority()) {
        Some(tenant) => Ok(match Credentials::load(&config.credentials) {
            Ok(credentials) => {
                let own = OwnAddresses::new(config.addresses(), Vec::new()).with_sockets(config.sockets());
                Ok(((*tenant).clone(), credentials, own))
            }
            Err(error) => Err(pointsman_rules::text::chain(&error)),
        }),
        None => bail!(
            "no tenant of {} has the host `{}` on listener `{}`; see --listener",
            file.display(),
            head.authority(),
            head.listener()
        ),
    }
}

/// A tenant with this module, all hostnames, default limits and every grant.
pub fn tenant_of_module(name: &str, path: &Path, config: &str) -> anyhow::Result<TenantConfig> {
    let config = serde_json::from_str(config).context("--module-config is not valid JSON")?;
    Ok(TenantConfig {
        name: name.to_owned(),
        matching: Matching { hostnames: vec![HostPattern::Any], sni: Vec::new(), listeners: Vec::new() },
        modules: vec![ModuleConfig { path: path.to_owned(), config, warm: Warm::default() }],
        instance_calls: TenantConfig::INSTANCE_CALLS,
        rewind: TenantConfig::REWIND,
        limits: TenantLimits::default(),
        quota: Quota::default(),
        breaker: BreakerConfig::default(),
        upstream: Default::default(),
        failure: Fallback::default(),
        groups: Vec::new(),
        release: ReleaseConfig::default(),
        grants: Grants {
            verify_chain_only: true,
            verify_none: true,
            bind_to: true,
            networks: vec![Ipv4Net::default().into(), Ipv6Net::default().into()],
            ports: (1..=u16::MAX).collect(),
            unix_sockets: vec!["/".to_owned()],
            credentials: Vec::new(),
        },
    })
}

fn head(arguments: &Arguments) -> anyhow::Result<RequestHead> {
    let mut headers = Vec::new();
    for header in &arguments.headers {
        let (name, value) =
            header.split_once(':').with_context(|| format!("-H `{header}`: a header is `name: value`"))?;
        headers.push((name.trim(), value.trim()));
    }
    let request = OfflineRequest {
        method: arguments.method.clone(),
        url: &arguments.url,
        headers,
        client_ip: arguments.client_ip,
        listener: &arguments.listener,
    };
    Ok(request.head()?)
}
