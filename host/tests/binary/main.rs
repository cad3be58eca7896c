//! The binary as its users, and its enemies, meet it.

mod admin;
mod cli;
mod heavy;
mod descriptors;
mod hostile;
mod live;
mod logs;
mod projects;
mod refused;
mod running;
mod signals;
mod state;
mod upgrade;
