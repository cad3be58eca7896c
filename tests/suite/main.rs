//! The whole proxy, tested over real sockets. One binary; a module for each subject.

mod credentials;
mod decisions;
mod downstream;
mod examples;
mod hostile;
mod load;
mod names;
mod pools;
mod retries;
mod tunnels;
mod upstream;
