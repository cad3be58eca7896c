//! Tests of the binary, as users and attackers meet it.

#![forbid(unsafe_code)]

mod admin;
mod cli;
mod heavy;
mod descriptors;
mod hostile;
mod live;
mod logs;
mod offline;
mod projects;
mod refused;
mod running;
mod signals;
mod state;
mod upgrade;
