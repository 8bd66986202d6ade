//! Exceptions that leave what `ws_each` calls, and the last word, in a program that catches them around `ws_step`
//! (tests/c/flow_steps.cc).

use crate::harness::{Launch, Need, Variant, skipped};
use crate::linking::valgrind;

fn passes(wrap: fn(Launch) -> Launch) {
    if skipped(&[Need::Tool(Variant::Cxx.compiler())]) {
        return;
    }
    // Another user than root could not make the socket again.
    let root = rustix::process::geteuid().is_root();
    let user: &[&str] = if root { &["-u", "root", "-g", "root"] } else { &[] };
    let launch = Launch::of("flow_steps.cc", Variant::Cxx);
    let ended = wrap(launch.args(["-x"]).args(user.iter().copied())).run();
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    assert_eq!(ended.stdout, "each\nlast words\nmain\n");
}

#[test]
fn they_pass_through_and_leave_nothing_behind() {
    passes(|launch| launch);
}

#[test]
fn under_valgrind() {
    if !skipped(&[Need::Tool("valgrind")]) {
        passes(valgrind);
    }
}
