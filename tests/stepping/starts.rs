//! How such a server starts, by a program that checks it itself (tests/c/starter.c): options, arguments and callbacks of
//! the program's, the log, and starts that come to nothing.

use super::servers::launch_of;
use crate::harness::{Ended, Need, Variant, skipped};
use crate::linking::valgrind;

fn run(scenario: &str) -> Ended {
    let ended = launch_of("starter.c", scenario, Variant::Default).run();
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    ended
}

/// All that the log has goes to `ws_log_callback`.
fn is_silent(scenario: &str) {
    assert_eq!(run(scenario).stderr, "");
}

/// CONTRACT F5: in `ws_init_func` and before, for one server; the command line has the last word.
#[test]
fn options_of_the_program() {
    is_silent("options");
}

#[test]
fn operands_are_the_programs() {
    is_silent("arguments");
}

/// CONTRACT S15: also over callbacks that were set. Without its own `ws_log_callback` the log goes to standard error.
#[test]
fn callbacks_are_replaced_as_a_whole() {
    let said = run("callbacks").stderr;
    assert_eq!(said, "server: missing: ws_read_callback, ws_close_callback\n");
}

#[test]
fn the_program_may_call_a_start_off() {
    is_silent("refused");
}

#[test]
fn a_check_starts_nothing() {
    is_silent("check");
}

#[test]
fn main_after_main() {
    is_silent("mains");
}

#[test]
fn nothing_leaks_under_valgrind() {
    if skipped(&[Need::Tool("valgrind")]) {
        return;
    }
    for scenario in ["options", "arguments", "callbacks", "refused", "mains"] {
        let ended = valgrind(launch_of("starter.c", scenario, Variant::Default)).run();
        assert_eq!(ended.code, Some(0), "{scenario}: {}{}", ended.stdout, ended.stderr);
    }
}
