//! The servers: how each is built, started and stopped.

mod nginx;
mod ours;
mod peers;
mod places;
mod prepare;
mod running;
mod server;
mod tools;

pub use places::Places;
pub use prepare::{NAMES, prepare};
pub use server::Server;
