//! The whole proxy, tested over real sockets. One binary; a module for each subject.

#![forbid(unsafe_code)]

mod admin;
mod admin_access;
mod attempts;
mod cache;
mod classes;
mod credentials;
mod decisions;
mod docs;
mod door_answers;
mod door_clocks;
mod door_framings;
mod door_requests;
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
mod reload;
mod restarts;
mod releases;
mod retries;
mod sockets;
mod starts;
mod tenants;
mod timeouts;
mod tunnels;
mod upstream;
mod warm;
mod wasi;
mod watching;
