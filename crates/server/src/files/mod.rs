//! What a server owns on disk.

mod cleaner;
mod owned;
mod pidfile;

pub(crate) use cleaner::Janitor;
pub(crate) use owned::{FileId, Files, OwnFile, id};
pub(crate) use pidfile::{Pidfile, path as pidfile_path};
