//! c-examples/chat, by people who sit before a real browser.

mod chat;
mod devtools;
mod person;
mod picture;
mod site;
mod tab;

pub(crate) use devtools::{Browser, chromium_program};
pub(crate) use tab::Tab;
