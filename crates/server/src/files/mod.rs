//! What a server owns on disk.

mod cleaner;
mod own_file;
mod owned;
mod pidfile;

pub(crate) use cleaner::Cleaner;
pub(crate) use own_file::{FileId, OwnFile};
pub(crate) use owned::Files;
pub(crate) use pidfile::{Pidfile, path as pidfile_path};
