//! Behind each of five web servers, started with the very file in c-examples/proxies that people copy: the same
//! scenario through all of them.
//!
//! A file is taken as it is, but for the values that differ from machine to machine: where it listens, where the socket
//! and the logs are. Each of them must stand in the file, and is named with its web server.

mod caddy;
mod haproxy;
mod httpd;
mod idle;
mod lighttpd;
mod load;
mod nginx;
mod proxy;
mod scenario;
mod site;

pub(crate) use haproxy::HAPROXY;
pub(crate) use nginx::NGINX;
pub(crate) use proxy::Proxy;
pub(crate) use site::{behind, missing};
