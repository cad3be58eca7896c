//! `GET /metrics` on the admin listener.

use std::sync::Arc;

use async_trait::async_trait;
use http::{Method, Response, StatusCode, header};
use pingora::apps::http_app::ServeHttp;
use pingora::protocols::http::ServerSession;

use crate::metrics::Metrics;

/// What the admin listener serves.
pub struct Page {
    metrics: Arc<Metrics>,
    /// Brings figures up to date that are not counted as they happen.
    refresh: Box<dyn Fn() + Send + Sync>,
}

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

impl Page {
    pub fn new(metrics: Arc<Metrics>, refresh: impl Fn() + Send + Sync + 'static) -> Page {
        Page { metrics, refresh: Box::new(refresh) }
    }

    fn answer(&self, method: &Method, path: &str) -> (StatusCode, String) {
        match (method, path) {
            (&Method::GET | &Method::HEAD, "/metrics") => {
                (self.refresh)();
                match self.metrics.text() {
                    Ok(text) => (StatusCode::OK, text),
                    Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
                }
            }
            (_, "/metrics") => (StatusCode::METHOD_NOT_ALLOWED, "GET it\n".to_owned()),
            _ => (StatusCode::NOT_FOUND, "there is /metrics here\n".to_owned()),
        }
    }
}

#[async_trait]
impl ServeHttp for Page {
    async fn response(&self, session: &mut ServerSession) -> Response<Vec<u8>> {
        let head = session.req_header();
        let (status, text) = self.answer(&head.method, head.uri.path());
        let body = if head.method == Method::HEAD { Vec::new() } else { text.clone().into_bytes() };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_LENGTH, text.len().into());
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(TEXT));
        response
    }
}
