//! The thread's own loop, and what belongs to its thread.

mod answer;
mod current;
mod decide;
mod figures;
mod posts;
mod requests;
mod task;

pub(crate) use answer::{Answer, Decision};
pub(crate) use current::{Loop, begin, end, stats, with_engine, with_loop};
pub(crate) use decide::SHORTAGE;
pub(crate) use figures::log_figures;
pub(crate) use posts::{clear_posts, close_posts, has_posts, open_posts, pause_posts, push_post};
pub(crate) use requests::{Requests, is_foreign};
pub(crate) use task::{Task, WatchTask};
pub use task::{TaskFunc, WatchFunc};
