//! Decides whether another attempt may follow a failed one. The host judges whether sending a request again is safe; a
//! module's retry policy may narrow that, never widen it.

use http::Method;

/// The facts about a failed attempt from which [`may_retry`] decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailedAttempt {
    /// Attempts so far, this one included.
    pub attempts: u32,
    /// Attempts allowed: the tenant's limit, or fewer if the module's retry policy says so.
    pub allowed: u32,
    pub time: Time,
    pub progress: Progress,
    pub repetition: Repetition,
    pub body: Body,
}

/// Whether the request has time left (`upstream.overall_timeout_ms`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    Left,
    Over,
}

/// How far the attempt got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// No byte of the request was sent.
    NothingSent,
    /// The upstream reported that it did not process the request.
    NotProcessed,
    /// Bytes may have reached the upstream.
    Sent,
    /// The client has received part of the response.
    Answered,
}

/// An error on an established connection to an upstream, by what it says about the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionError {
    /// HTTP/2: the upstream reset the stream with REFUSED_STREAM (RFC 9113, section 8.7), or sent a GOAWAY whose last
    /// stream is before the request's (section 6.8).
    StreamRefused,
    /// HTTP/2: the upstream reset the stream with HTTP_1_1_REQUIRED (RFC 9113, section 7).
    Http11Required,
    /// HTTP/2: the upstream sent a frame that breaks the protocol.
    InvalidFrame,
    /// The connection ended, timed out, or failed in any other way.
    Other,
}

impl ConnectionError {
    /// How far an attempt got that ended with this error, before the client received part of the response.
    pub fn progress(self) -> Progress {
        match self {
            ConnectionError::StreamRefused | ConnectionError::Http11Required => Progress::NotProcessed,
            // An upstream that breaks the protocol may have processed the request before.
            ConnectionError::InvalidFrame | ConnectionError::Other => Progress::Sent,
        }
    }
}

/// Whether sending the request twice does no harm: its method is idempotent (RFC 9110, section 9.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repetition {
    Safe,
    Unsafe,
}

/// Whether the request's body, if any, can be sent again from the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    Replayable,
    Gone,
}

impl Repetition {
    pub fn of(method: &Method) -> Repetition {
        if method.is_idempotent() { Repetition::Safe } else { Repetition::Unsafe }
    }
}

/// Whether another attempt may follow.
pub fn may_retry(failed: FailedAttempt) -> bool {
    if failed.attempts >= failed.allowed || failed.body == Body::Gone || failed.time == Time::Over {
        return false;
    }
    match failed.progress {
        Progress::NothingSent | Progress::NotProcessed => true,
        Progress::Sent => failed.repetition == Repetition::Safe,
        Progress::Answered => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: FailedAttempt = FailedAttempt {
        attempts: 1,
        allowed: 3,
        time: Time::Left,
        progress: Progress::Sent,
        repetition: Repetition::Safe,
        body: Body::Replayable,
    };
    const POST: FailedAttempt = FailedAttempt { repetition: Repetition::Unsafe, ..GET };

    #[track_caller]
    fn check(failed: FailedAttempt, expected: bool) {
        assert_eq!(may_retry(failed), expected, "{failed:?}");
    }

    #[test]
    fn idempotent_request_is_retried() {
        check(GET, true);
    }

    #[test]
    fn sent_post_is_never_retried() {
        check(POST, false);
        check(FailedAttempt { allowed: 16, ..POST }, false);
    }

    #[test]
    fn unsent_post_is_tried_again() {
        check(FailedAttempt { progress: Progress::NothingSent, ..POST }, true);
        check(FailedAttempt { progress: Progress::NotProcessed, ..POST }, true);
    }

    #[test]
    fn upstream_says_whether_it_processed_the_request() {
        for (error, expected) in [
            (ConnectionError::StreamRefused, Progress::NotProcessed),
            (ConnectionError::Http11Required, Progress::NotProcessed),
            (ConnectionError::InvalidFrame, Progress::Sent),
            (ConnectionError::Other, Progress::Sent),
        ] {
            assert_eq!(error.progress(), expected, "{error:?}");
            check(FailedAttempt { progress: error.progress(), ..POST }, expected == Progress::NotProcessed);
            check(FailedAttempt { progress: error.progress(), ..GET }, true);
        }
    }

    #[test]
    fn no_retry_once_the_client_has_part_of_the_response() {
        check(FailedAttempt { progress: Progress::Answered, ..GET }, false);
    }

    #[test]
    fn request_whose_body_is_gone_is_not_retried() {
        check(FailedAttempt { body: Body::Gone, ..GET }, false);
        check(FailedAttempt { body: Body::Gone, progress: Progress::NothingSent, ..POST }, false);
    }

    #[test]
    fn no_retry_after_the_deadline() {
        check(FailedAttempt { time: Time::Over, ..GET }, false);
        check(FailedAttempt { time: Time::Over, progress: Progress::NothingSent, ..GET }, false);
    }

    #[test]
    fn attempts_are_limited() {
        check(FailedAttempt { attempts: 3, ..GET }, false);
        check(FailedAttempt { attempts: 1, allowed: 1, progress: Progress::NothingSent, ..GET }, false);
    }

    #[test]
    fn idempotent_methods_are_those_of_the_rfc() {
        for method in [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE, Method::PUT, Method::DELETE] {
            assert_eq!(Repetition::of(&method), Repetition::Safe, "{method}");
        }
        for method in [Method::POST, Method::PATCH, Method::CONNECT] {
            assert_eq!(Repetition::of(&method), Repetition::Unsafe, "{method}");
        }
    }
}
