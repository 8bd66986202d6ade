//! Functions of the program's that the loop calls, and what each is called with.

use std::ffi::{c_int, c_void};
use std::os::fd::RawFd;
use std::ptr;

use dorrit_engine::Key;

/// A function that `ws_post` and `ws_after` are given.
pub type TaskFunc = unsafe extern "C-unwind" fn(*mut c_void);
/// A function that `ws_watch` is given.
pub type WatchFunc = unsafe extern "C-unwind" fn(c_int, c_int, *mut c_void);

/// A function, and what it is to be called with.
#[derive(Clone, Copy)]
pub(crate) struct Task {
    pub(crate) func: TaskFunc,
    pub(crate) data: *mut c_void,
}

// SAFETY: `data` is the program's, is never looked behind, and goes to whom the program has chosen.
unsafe impl Send for Task {}

impl Task {
    /// The task as a timer's key.
    pub(crate) fn key(self) -> Key {
        key(self.func as *const (), self.data)
    }

    /// The task of a key.
    ///
    /// # Safety
    /// [`Task::key`] has made the key.
    pub(crate) unsafe fn from_key(key: Key) -> Self {
        let (func, data) = pointers(key);
        // SAFETY: the caller's promise: it is the address of such a function.
        Self { func: unsafe { std::mem::transmute::<*const (), TaskFunc>(func) }, data }
    }

    /// Calls the function.
    ///
    /// # Safety
    /// The program's promise for the function holds.
    pub(crate) unsafe fn call(self) {
        // SAFETY: the caller's promise.
        unsafe { (self.func)(self.data) }
    }
}

/// A function for a descriptor, and what it is to be called with.
#[derive(Clone, Copy)]
pub(crate) struct WatchTask {
    pub(crate) func: WatchFunc,
    pub(crate) data: *mut c_void,
}

impl WatchTask {
    /// The task as a watch's key.
    pub(crate) fn key(self) -> Key {
        key(self.func as *const (), self.data)
    }

    /// The task of a key.
    ///
    /// # Safety
    /// [`WatchTask::key`] has made the key.
    pub(crate) unsafe fn from_key(key: Key) -> Self {
        let (func, data) = pointers(key);
        // SAFETY: the caller's promise: it is the address of such a function.
        Self { func: unsafe { std::mem::transmute::<*const (), WatchFunc>(func) }, data }
    }

    /// Calls the function.
    ///
    /// # Safety
    /// The program's promise for the function holds.
    pub(crate) unsafe fn call(self, fd: RawFd, events: c_int) {
        // SAFETY: the caller's promise.
        unsafe { (self.func)(fd, events, self.data) }
    }
}

/// A function and its data as the engine keeps them.
fn key(func: *const (), data: *mut c_void) -> Key {
    Key(func.expose_provenance(), data.expose_provenance())
}

/// The function and the data of a key.
fn pointers(Key(func, data): Key) -> (*const (), *mut c_void) {
    (ptr::with_exposed_provenance(func), ptr::with_exposed_provenance_mut(data))
}
