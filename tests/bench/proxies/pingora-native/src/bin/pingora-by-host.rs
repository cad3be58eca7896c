//! Native Pingora with a pool of upstream connections for each host, as a proxy of many tenants has: what it costs to
//! go round many connections, without a tenant or a module.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use async_trait::async_trait;
use pingora::prelude::*;
use pingora::server::configuration::{Opt, ServerConf};

struct ByHost;

#[async_trait]
impl ProxyHttp for ByHost {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn upstream_peer(&self, session: &mut Session, _: &mut ()) -> Result<Box<HttpPeer>> {
        let mut host = DefaultHasher::new();
        session.req_header().headers.get("host").hash(&mut host);
        let mut peer = HttpPeer::new(("127.0.0.1", 9101), false, String::new());
        peer.group_key = host.finish();
        peer.options.connection_timeout = Some(Duration::from_secs(1));
        Ok(Box::new(peer))
    }
}

fn main() {
    let port = std::env::args().nth(1).unwrap_or_else(|| "9300".into());
    let conf = ServerConf {
        threads: 1,
        upstream_keepalive_pool_size: 100_000,
        grace_period_seconds: Some(0),
        graceful_shutdown_timeout_seconds: Some(1),
        ..Default::default()
    };
    let mut server = Server::new_with_opt_and_conf(None::<Opt>, conf);
    server.bootstrap();
    let mut service = http_proxy_service(&server.configuration, ByHost);
    service.add_tcp(&format!("127.0.0.1:{port}"));
    server.add_service(service);
    server.run_forever();
}
