//! What threads have posted to the loop: functions that it calls, in the order in which they came.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::task::Task;
use crate::process;

/// The posts that wait.
struct Posts {
    queue: VecDeque<Task>,
    /// Whether the loop was woken for them.
    is_rung: bool,
    /// Whether the server has ended, and no other one begun.
    is_closed: bool,
}

/// So many places are kept when the queue is empty.
const KEPT: usize = 1024;

static POSTS: Mutex<Posts> =
    Mutex::new(Posts { queue: VecDeque::new(), is_rung: false, is_closed: false });

/// The posts. None of the program's functions is called while they are locked.
fn posts() -> MutexGuard<'static, Posts> {
    POSTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has a function called. `wake_own` wakes the loop where the caller is on its thread, and says whether it is. Fails
/// without memory, and where the server has ended.
pub(crate) fn push_post(post: Task, wake_own: impl FnOnce() -> bool) -> Result<(), ()> {
    let mut posts = posts();
    if posts.is_closed || posts.queue.try_reserve(1).is_err() {
        return Err(());
    }
    posts.queue.push_back(post);
    let was_rung = std::mem::replace(&mut posts.is_rung, true);
    drop(posts);
    if !was_rung && !wake_own() {
        process::wake();
    }
    Ok(())
}

/// Whether there is a post.
pub(crate) fn has_posts() -> bool {
    !posts().queue.is_empty()
}

/// The posts that the loop has taken: those that come meanwhile do not wait for it, nor it for them.
#[derive(Default)]
pub(crate) struct TakenPosts(VecDeque<Task>);

impl TakenPosts {
    /// The next post. Where the loop has none any more, it takes those that have come; the next one to come wakes it.
    pub(crate) fn pop(&mut self) -> Option<Task> {
        if self.0.is_empty() {
            let mut posts = posts();
            std::mem::swap(&mut self.0, &mut posts.queue);
            posts.is_rung = false;
        }
        let post = self.0.pop_front();
        if self.0.is_empty() && self.0.capacity() > KEPT {
            self.0.shrink_to(KEPT);
        }
        post
    }

    /// Whether there is one, for which the loop may have been woken already.
    pub(crate) fn is_any(&self) -> bool {
        !self.0.is_empty() || has_posts()
    }
}

/// Takes posts from now on, for a server that is about to begin.
pub(crate) fn open_posts() {
    posts().is_closed = false;
}

/// Takes no post any more: the server has ended, or is about to.
pub(crate) fn close_posts() {
    posts().is_closed = true;
}

/// Drops what was posted to a server that has not begun, or has ended.
pub(crate) fn clear_posts() {
    let mut posts = posts();
    posts.queue = VecDeque::new();
    posts.is_rung = false;
}

/// Acts while no thread posts: what it forks finds the posts as they are.
pub(crate) fn pause_posts<R>(act: impl FnOnce() -> R) -> R {
    let _posts = posts();
    act()
}
