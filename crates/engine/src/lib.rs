//! The loop of a WebSocket server: listeners, connections, queues, timers and handles.
//!
//! The engine is pulled. [`Engine::next`] hands out one [`Event`] at a time and holds nothing
//! meanwhile, so between two calls the caller may use any other method, on any connection, in any
//! order. All that is queued, and all that has arrived, is dealt with before the loop sleeps.
//!
//! A connection is named by a [`ConnId`], which is recognised when it is stale: every method takes
//! any id, and does nothing for a connection that has ended.
#![forbid(unsafe_code)]

mod accept;
mod backlog;
mod clock;
mod closing;
mod config;
mod conn;
mod deadlines;
mod deflaters;
mod direct;
mod engine;
mod event;
mod id;
mod inflating;
mod kept;
mod memory;
mod message;
mod messages;
mod output;
mod pool;
mod queue;
mod queueing;
mod reactor;
mod ready;
mod respond;
mod send;
mod shed;
mod stats;
mod sys;
mod table;
mod timers;
mod turn;

pub use accept::Listener;
pub use config::{Buffers, Config, Keepalive, OverflowPolicy, PlainRequests, QueueLimit};
pub use engine::Engine;
pub use event::{DropCause, Event, SendError};
pub use id::ConnId;
pub use respond::Response;
pub use stats::Stats;
pub use sys::note_fork;
