//! `pointsman decide`: takes one request through call and check, offline.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use http::{Method, Uri};
use pointsman_rules::inputs::Inputs;
use pointsman_rules::request::{OfflineRequest, RequestHead, attempts};
use pointsman_rules::tenant_lookup::TenantTable;
use pointsman_rules::text::json_pretty;

use crate::cli::offline::{Named, TenantOptions, TenantSetup};
use crate::cli::report::{CallRecord, Report};
use crate::cli::{Outcome, print};
use crate::evaluate::{Question, evaluate};

pub const EXAMPLES: &str = "\
Examples:
  pointsman decide --module fixed.wasm http://shop.example/
  pointsman decide --module canary.wasm --module-config '{\"percent\": 10}' -H 'cookie: session=7' http://shop.example/
  pointsman decide -H 'x-canary: 1' https://shop.example/cart?x=1   the tenant of pointsman.toml with this hostname
  pointsman decide --module failover.wasm --failed 192.0.2.1:80=connect/refused http://shop.example/";

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The request's URL; its authority chooses the tenant
    #[arg(value_name = "URL")]
    url: Uri,
    #[command(flatten)]
    tenant: TenantOptions,
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
    let refused = |problem: String| {
        eprintln!("{problem}");
        Ok(Outcome::Refused)
    };
    let setup = match setup(arguments, &inputs.head)? {
        Ok(setup) => setup,
        Err(problem) => return refused(problem),
    };
    let offline = match setup.load()? {
        Ok(offline) => offline,
        Err(problem) => return refused(problem),
    };
    // Decided twice, by two tenants: the time shown is that of a proxy that has been running, not of cold code, and the
    // modules' stored state is new.
    let (warm_up, tenant) = match (offline.tenant()?, offline.tenant()?) {
        (Ok(warm_up), Ok(tenant)) => (warm_up, tenant),
        (Err(problem), _) | (_, Err(problem)) => return refused(problem),
    };
    let (config, modules, terms) = (offline.config(), &offline.modules, tenant.terms());
    let question = |tenant| Question { tenant, modules, stores: &tenant.stores, terms: &terms, cache: None };
    let _ = evaluate(question(&warm_up), &inputs);
    let (action, calls) = evaluate(question(&tenant), &inputs);
    let paths = config.modules.iter().map(|module| module.path.display().to_string());
    let calls = paths.zip(&calls).map(|(path, call)| CallRecord::new(path, call, &inputs)).collect();
    print::line(json_pretty(&Report::new(config, calls, &action)));
    Ok(if action.is_ok() { Outcome::Success } else { Outcome::Refused })
}

/// The tenant that the arguments select, or an error in the configuration.
fn setup(arguments: &Arguments, head: &RequestHead) -> anyhow::Result<Result<TenantSetup, String>> {
    let config = match arguments.tenant.load("cli")? {
        Ok(Named::Module(setup)) => return Ok(Ok(*setup)),
        Ok(Named::Config(config)) => config,
        Err(problem) => return Ok(Err(problem)),
    };
    let claims = config.tenants.iter().map(|tenant| (&tenant.matching, tenant));
    let sni = head.tls().and_then(|tls| tls.sni.as_deref());
    match TenantTable::new(claims).owner(head.listener(), sni, head.authority()) {
        Some(tenant) => Ok(TenantSetup::of_config(&config, tenant)),
        None => bail!(
            "no tenant of {} has the host `{}` on listener `{}`; see --listener",
            arguments.tenant.config.display(),
            head.authority(),
            head.listener()
        ),
    }
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
