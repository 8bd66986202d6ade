//! Files over HTTP.

mod directory;
mod path;
mod text;

pub(crate) use directory::{Page, PageContent, Pages};
#[cfg(fuzzing)]
pub(crate) use path::{place, with_slash};
