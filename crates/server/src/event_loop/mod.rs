//! The thread's own loop, and what belongs to its thread.

mod current;
mod figures;
mod handshakes;
mod posts;
mod task;

pub(crate) use current::{Loop, begin, end, stats, with_engine, with_loop};
pub(crate) use figures::log_figures;
pub(crate) use handshakes::{Handshakes, refuse_foreign};
pub(crate) use posts::{clear_posts, close_posts, has_posts, open_posts, pause_posts, push_post};
pub(crate) use task::{Task, WatchTask};
pub use task::{TaskFunc, WatchFunc};
