//! libdorrit(3): a WebSocket server as five C functions.
//!
//! `exports` holds what the library gives to the program, `callbacks` what the program gives to the
//! library. All else is in the crate `dorrit-server`.
#![allow(
    unreachable_pub,
    reason = "cbindgen and the linker take what is pub, and no crate is above"
)]

mod callbacks;
mod exports;
mod flow;
mod own_main;
mod requests;
mod tasks;
