//! The loop of a WebSocket server: listeners, connections, queues, timers and handles.
//!
//! The engine is pulled. [`Engine::poll_event`] hands out one [`Event`] at a time and holds nothing
//! meanwhile, and [`Engine::wait`] sleeps; so between two calls the caller may use any other method, on any connection, in any
//! order. All that is queued, and all that has arrived, is dealt with before the loop sleeps.
//!
//! A connection is named by a [`ConnId`], which is recognised when it is stale: every method takes
//! any id, and does nothing for a connection that has ended.
#![forbid(unsafe_code)]

mod broadcast;
mod config;
mod conn;
mod connections;
mod conns;
mod date;
mod descriptors;
mod engine;
mod event;
mod exchange;
mod id;
mod inbox;
mod memory;
mod outbox;
mod payload;
mod peers;
mod pending;
mod pool;
mod reactor;
mod ready;
mod shares;
mod shutdown;
mod spent;
mod stats;
mod sys;
mod table;
mod timers;
mod transport;
mod turn;

pub use config::{Buffers, Config, Keepalive, OverflowPolicy, PlainRequests, QueueLimit, Upgrades};
pub use connections::Connections;
pub use engine::Engine;
pub use event::{DropCause, Event, Readiness, SendError};
pub use exchange::{Response, ResponseBody};
pub use id::{ConnId, Key, TimerId};
pub use reactor::Listener;
pub use stats::Stats;
pub use sys::note_fork;
