//! Writes the responses that the proxy itself sends: a module's own response, and failures.

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};
use pingora::Result;
use pingora::http::ResponseHeader;
use pingora::proxy::Session;
use pointsman_rules::check::ResponseSpec;
use pointsman_rules::config::FailureAnswer;

use crate::answer::Failure;
use crate::proxy::response::ERROR_HEADER;

/// Writes the response that a module decided on.
pub async fn response(session: &mut Session, spec: &ResponseSpec) -> Result<()> {
    let mut head = ResponseHeader::build(spec.status, Some(spec.headers.len() + 2))?;
    for (name, value) in spec.headers.iter().filter(|(name, _)| *name != ERROR_HEADER) {
        head.append_header(name.clone(), value.clone())?;
    }
    send(session, head, Bytes::copy_from_slice(&spec.body)).await
}

/// Writes a failure: with the tenant's own body if its modules failed and one is configured.
pub async fn failure(
    session: &mut Session,
    failure: &Failure,
    tenant: Option<&FailureAnswer>,
    error_header: bool,
) -> Result<StatusCode> {
    let code = failure.answer().code;
    let own = tenant.filter(|own| failure.is_the_modules() && !own.body.is_empty());
    let status = failure.status(tenant);
    let mut head = ResponseHeader::build(status, Some(5))?;
    if error_header {
        head.insert_header(ERROR_HEADER, code)?;
    }
    head.insert_header(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))?;
    let body = match own {
        Some(own) => {
            head.insert_header(header::CONTENT_TYPE, own.content_type.as_str())?;
            own.body.clone()
        }
        None if error_header => {
            head.insert_header(header::CONTENT_TYPE, "text/plain; charset=utf-8")?;
            format!("pointsman: {code}\n")
        }
        None => String::new(),
    };
    send(session, head, Bytes::from(body)).await?;
    Ok(status)
}

async fn send(session: &mut Session, mut head: ResponseHeader, body: Bytes) -> Result<()> {
    let without_length = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&head.status);
    if !without_length {
        head.insert_header(header::CONTENT_LENGTH, body.len())?;
    }
    let bodiless = body.is_empty() || session.req_header().method == Method::HEAD;
    session.write_response_header(Box::new(head), bodiless).await?;
    // Also without a body: over HTTP/2 the head does not end its stream (Pingora ignores `bodiless` above).
    session.write_response_body((!bodiless).then_some(body), true).await
}

/// Answers a request whose `Max-Forwards` is used up, as its last recipient.
pub async fn last_recipient(session: &mut Session) -> Result<()> {
    let allowed = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    let head = match session.req_header().method {
        Method::OPTIONS => StatusCode::NO_CONTENT,
        _ => StatusCode::METHOD_NOT_ALLOWED,
    };
    let mut head = ResponseHeader::build(head, Some(2))?;
    head.insert_header(header::ALLOW, allowed)?;
    send(session, head, Bytes::new()).await
}
