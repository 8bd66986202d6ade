//! Files over HTTP.

mod directory;
mod path;
mod text;

pub(crate) use directory::Pages;
#[cfg(fuzzing)]
pub(crate) use path::{place, with_slash};
