//! What failed, in words.

use std::fmt;
use std::time::Duration;

use crate::{Attempt, Failure, Stage};

impl Attempt {
    /// From the decision to the failure.
    pub fn elapsed(&self) -> Duration {
        Duration::from_millis(self.elapsed_ms.into())
    }
}

/// The name that the WIT has for it.
impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Resolve => "resolve",
            Stage::Connect => "connect",
            Stage::ConnectProxy => "connect-proxy",
            Stage::Tls => "tls",
            Stage::Send => "send",
            Stage::Receive => "receive",
            Stage::Other => "other",
        })
    }
}

/// The name that the WIT has for it.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Failure::Timeout => "timeout",
            Failure::Refused => "refused",
            Failure::Unreachable => "unreachable",
            Failure::Closed => "closed",
            Failure::Certificate => "certificate",
            Failure::Protocol => "protocol",
            Failure::ProxyRefused => "proxy-refused",
            Failure::Status => "status",
            Failure::Other => "other",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn an_attempt_describes_the_failure() {
        let attempt = Attempt { elapsed_ms: 1500, ..testing::refused("127.0.0.1:9101") };
        assert_eq!(format!("{} at {}", attempt.failure, attempt.stage), "refused at connect");
        assert_eq!(attempt.elapsed(), Duration::from_millis(1500));
    }
}
