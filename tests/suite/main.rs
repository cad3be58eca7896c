//! The whole proxy, tested over real sockets. One binary; a module for each subject.

mod credentials;
mod decisions;
mod downstream;
mod examples;
mod hostile;
mod load;
mod pools;
mod retries;
mod upstream;
