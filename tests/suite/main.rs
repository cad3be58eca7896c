//! The whole proxy, tested over real sockets. One binary; a module for each subject.

mod attempts;
mod credentials;
mod decisions;
mod docs;
mod downstream;
mod egress;
mod examples;
mod fallback;
mod forwarded;
mod hostile;
mod http2;
mod imports;
mod isolation;
mod load;
mod names;
mod pools;
mod quirks;
mod quotas;
mod real;
mod retries;
mod sockets;
mod tenants;
mod timeouts;
mod tunnels;
mod upstream;
