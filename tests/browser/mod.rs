//! c-examples/chat, by people who sit before a real browser.

mod chat;
mod devtools;
mod person;
mod picture;
mod site;
mod tab;

pub(crate) use devtools::chromium_program;
