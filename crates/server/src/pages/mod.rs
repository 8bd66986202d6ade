//! Files over HTTP.

mod directory;
pub(crate) mod path;
mod text;

pub(crate) use directory::Pages;
