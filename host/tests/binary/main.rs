//! The binary as its users, and its enemies, meet it.

mod admin;
mod cli;
mod descriptors;
mod hostile;
mod live;
mod projects;
mod running;
mod upgrade;
