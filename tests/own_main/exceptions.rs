//! Exceptions that leave the program's functions, in a program that catches them (tests/c/passes.cc).

use super::{launch, passes};
use crate::harness::Variant;

/// Each function's exception comes out of `ws_begin`, `ws_main` or `ws_step`, and the server is whole afterwards.
#[test]
fn they_pass_through_and_leave_nothing_behind() {
    let Some(launch) = launch("passes.cc", Variant::Cxx) else { return };
    assert_eq!(passes(Some(launch)), "starts\nsteps\nhandshakes\n");
}
