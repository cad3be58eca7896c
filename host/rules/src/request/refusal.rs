//! The reasons for which the door refuses a request before Pingora sees it, and the response to each.

use std::fmt::Write as _;
use std::time::Duration;

use chrono::Utc;
use http::StatusCode;
use serde_json::json;

/// The reason why a request is refused. The message is the cause in the access log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("request line: {0}")]
    RequestLine(&'static str),
    #[error("request target: {0}")]
    Target(&'static str),
    #[error("the request target does not fit into {limit} bytes (listener.max_head_bytes)")]
    TargetTooLong { limit: usize },
    #[error("only HTTP/1.0, HTTP/1.1 and HTTP/2 are spoken here")]
    Version,
    #[error("CONNECT is not supported: this proxy opens no tunnels for clients")]
    Connect,
    #[error("header section: {0}")]
    Header(&'static str),
    #[error("host: {0}")]
    Host(&'static str),
    #[error("content-length: {0}")]
    ContentLength(&'static str),
    #[error("transfer-encoding: {0}")]
    TransferEncoding(&'static str),
    #[error("transfer-encoding: only `chunked` is implemented")]
    TransferCoding,
    #[error("chunked body: {0}")]
    Chunk(&'static str),
    #[error("more than {limit} header fields")]
    TooManyFields { limit: usize },
    #[error("the head has more than {limit} bytes (listener.max_head_bytes)")]
    HeadTooLarge { limit: usize },
    #[error("the head was not complete after {} ms (listener.head_timeout_ms)", .0.as_millis())]
    HeadTimeout(Duration),
    #[error("the body came too slowly: less than {} bytes/s (listener.body_bytes_per_s) after {} ms (listener.body_timeout_ms)", .rate, .grace.as_millis())]
    BodyTimeout { grace: Duration, rate: u64 },
}

impl Refusal {
    pub fn status(self) -> StatusCode {
        self.answer().0
    }

    /// The value of the response header `pointsman-error`.
    pub fn code(self) -> &'static str {
        self.answer().1
    }

    /// The value of the metric's label.
    pub fn reason(self) -> &'static str {
        self.answer().2
    }

    fn answer(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Refusal::RequestLine(_) => (StatusCode::BAD_REQUEST, "bad-request", "request-line"),
            Refusal::Target(_) => (StatusCode::BAD_REQUEST, "bad-request", "target"),
            Refusal::TargetTooLong { .. } => (StatusCode::URI_TOO_LONG, "target-too-long", "target-too-long"),
            Refusal::Version => (StatusCode::HTTP_VERSION_NOT_SUPPORTED, "http-version", "http-version"),
            Refusal::Connect => (StatusCode::METHOD_NOT_ALLOWED, "connect-method", "connect-method"),
            Refusal::Header(_) => (StatusCode::BAD_REQUEST, "bad-request", "header"),
            Refusal::Host(_) => (StatusCode::BAD_REQUEST, "bad-request", "host"),
            Refusal::ContentLength(_) => (StatusCode::BAD_REQUEST, "bad-request", "content-length"),
            Refusal::TransferEncoding(_) => (StatusCode::BAD_REQUEST, "bad-request", "transfer-encoding"),
            Refusal::TransferCoding => (StatusCode::NOT_IMPLEMENTED, "transfer-coding", "transfer-coding"),
            Refusal::Chunk(_) => (StatusCode::BAD_REQUEST, "bad-request", "chunk"),
            Refusal::TooManyFields { .. } => {
                (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "head-too-large", "too-many-fields")
            }
            Refusal::HeadTooLarge { .. } => {
                (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "head-too-large", "head-too-large")
            }
            Refusal::HeadTimeout(_) => (StatusCode::REQUEST_TIMEOUT, "head-timeout", "head-timeout"),
            Refusal::BodyTimeout { .. } => (StatusCode::REQUEST_TIMEOUT, "request-timeout", "body-timeout"),
        }
    }

    /// The whole HTTP/1.1 response, after which the connection closes.
    pub fn response(self, form: AnswerForm, body: Body) -> Vec<u8> {
        let (status, code) = (self.status(), self.code());
        let text = match form {
            AnswerForm::StatusOnly => String::new(),
            AnswerForm::Code => format!("pointsman: {code}\n"),
            AnswerForm::Json => format!("{:#}\n", json!({"error": {"code": code, "message": self.to_string()}})),
        };
        let mut response =
            format!("HTTP/1.1 {} {}\r\n", status.as_u16(), status.canonical_reason().unwrap_or_default());
        // Writing to a `String` can't fail.
        let _ = write!(response, "date: {}\r\n", Utc::now().format("%a, %d %b %Y %H:%M:%S GMT"));
        response.push_str(match form {
            AnswerForm::StatusOnly => "",
            AnswerForm::Code => "content-type: text/plain; charset=utf-8\r\n",
            AnswerForm::Json => "content-type: application/json\r\nx-content-type-options: nosniff\r\n",
        });
        if form == AnswerForm::Code {
            let _ = write!(response, "pointsman-error: {code}\r\n");
        }
        let _ =
            write!(response, "cache-control: no-store\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", text.len());
        if body == Body::Sent {
            response.push_str(&text);
        }
        response.into_bytes()
    }
}

/// Form of a listener's refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerForm {
    /// With the header `pointsman-error`, and the code as the body.
    Code,
    /// `proxy.error_header = false`
    StatusOnly,
    /// In the form of the admin API's errors.
    Json,
}

/// Whether the response has its body: the response to HEAD has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    Sent,
    Omitted,
}

impl Refusal {
    /// One of each kind, for tests that compare the documentation with the code.
    pub const ALL: [Refusal; 15] = [
        Refusal::RequestLine(""),
        Refusal::Target(""),
        Refusal::TargetTooLong { limit: 0 },
        Refusal::Version,
        Refusal::Connect,
        Refusal::Header(""),
        Refusal::Host(""),
        Refusal::ContentLength(""),
        Refusal::TransferEncoding(""),
        Refusal::TransferCoding,
        Refusal::Chunk(""),
        Refusal::TooManyFields { limit: 0 },
        Refusal::HeadTooLarge { limit: 0 },
        Refusal::HeadTimeout(Duration::ZERO),
        Refusal::BodyTimeout { grace: Duration::ZERO, rate: 0 },
    ];
}
