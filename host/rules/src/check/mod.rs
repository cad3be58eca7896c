//! Checks a module's decision: turns a `contract::Decision` into specs that the rest of the program trusts.
//!
//! Plain functions over plain data: every rule that the WIT comments state is enforced here and nowhere else. Any code
//! can read a spec, but only this room can make one, so having a spec proves that the check passed.

mod address;
mod credentials;
mod decision;
mod egress;
mod headers;
mod http_options;
mod own;
mod peer;
mod refusal;
mod response;
mod retry;
mod rewrite;
mod size;
mod spec;
mod tls;

#[cfg(test)]
mod tests;

pub use address::target;
pub use credentials::{CredentialNames, CredentialSpec, Fingerprint};
pub use decision::{Policy, Verdict, check};
pub use egress::{Egress, Forbidden};
pub use own::{OwnAddresses, SocketError, UNNAMED_SOCKET};
pub use refusal::{Problem, Refusal};
pub use spec::{
    BindSpec, Checked, ConnectProxySpec, ConnectionFields, ConnectionSpec, HttpSpec, PeerFields, PeerSpec,
    ResponseFields, ResponseSpec, RetryFields, RetrySpec, RewriteFields, RewriteSpec, RouteFields, RouteSpec,
    SocketSpec, Target, TimeoutSpec, TlsSpec,
};
