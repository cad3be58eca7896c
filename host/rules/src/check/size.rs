//! Approximate memory that a spec takes: the numbers and strings that a module chose.

use http::{HeaderName, HeaderValue};

use crate::check::spec::{ConnectionFields, ResponseFields, RouteFields, Target, TlsSpec};

impl RouteFields {
    /// In bytes.
    pub fn bytes(&self) -> usize {
        let rewrite = &self.rewrite;
        let texts = [&rewrite.authority, &rewrite.path_and_query, &self.note];
        [
            size_of::<RouteFields>(),
            connection(&self.peer.connection),
            texts.into_iter().map(text).sum(),
            rewrite.remove_headers.iter().map(|name| HEADER.saturating_add(name.as_str().len())).sum(),
            headers(&rewrite.set_headers),
            headers(&rewrite.add_headers),
            size_of_val(&*self.retry.on_status),
        ]
        .into_iter()
        .fold(0, usize::saturating_add)
    }
}

impl ResponseFields {
    /// In bytes.
    pub fn bytes(&self) -> usize {
        size_of::<ResponseFields>().saturating_add(headers(&self.headers)).saturating_add(self.body.len())
    }
}

/// Size of one header in bytes, without the texts of its name and value.
const HEADER: usize = size_of::<(HeaderName, HeaderValue)>();

fn headers(headers: &[(HeaderName, HeaderValue)]) -> usize {
    let size = |(name, value): &(HeaderName, HeaderValue)| HEADER.saturating_add(name.as_str().len() + value.len());
    headers.iter().map(size).fold(0, usize::saturating_add)
}

fn connection(connection: &ConnectionFields) -> usize {
    let proxy = connection.connect_proxy.as_ref().map_or(0, |proxy| {
        let headers = proxy.headers.iter().map(|(name, value)| HEADER.saturating_add(name.len() + value.len()));
        headers.fold(target(&proxy.address), usize::saturating_add)
    });
    [target(&connection.target), connection.tls.as_ref().map_or(0, tls), proxy, text(&connection.isolation)]
        .into_iter()
        .fold(0, usize::saturating_add)
}

fn target(target: &Target) -> usize {
    match target {
        Target::Socket(_) => 0,
        Target::Name { host, .. } => host.len(),
        Target::Unix(path) => path.as_os_str().len(),
    }
}

fn tls(tls: &TlsSpec) -> usize {
    let names = [&tls.ca, &tls.client_certificate].into_iter().flatten().map(|credential| credential.name.len());
    let texts = [&tls.server_name, &tls.alternative_name, &tls.curves].into_iter().map(text);
    texts.chain(names).sum()
}

fn text(text: &Option<String>) -> usize {
    text.as_ref().map_or(0, String::len)
}
