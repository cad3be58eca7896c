//! The binary as its users, and its enemies, meet it.

mod admin;
mod cli;
mod hostile;
mod live;
mod running;
mod upgrade;
