//! Peers that are none of ours, over the road that visitors take: client, nginx, UNIX socket, server.
//!
//! tokio-tungstenite goes through the list in [`tungstenite`], [`vanish`] and [`never_reads`];
//! Python's `websockets` and Node's `ws` go through it in the scripts that [`scripts`] runs, where
//! each scenario has the same name. What goes beyond the manuals they meet in [`beyond`], and a browser in
//! [`browser`].

mod beyond;
mod browser;
mod never_reads;
mod plain;
mod scripts;
mod site;
mod tungstenite;
mod vanish;
mod visitor;

pub(crate) use visitor::{Trouble, Visitor, each, run};
