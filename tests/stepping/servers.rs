//! `ws_begin`, `ws_step`, `ws_get_fd` and `ws_get_timeout`, by a program that checks them itself (tests/c/stepper.c).

use crate::harness::{Launch, Need, Variant, skipped};
use crate::linking::valgrind;

/// A scenario of such a program, about to be run.
pub(super) fn launch_of(source: &'static str, scenario: &str, variant: Variant) -> Launch {
    let launch = Launch::of(source, variant).socket(None);
    let socket = launch.run_dir().join("own.socket").display().to_string();
    launch.args([scenario.to_owned(), socket])
}

fn launch(scenario: &str, variant: Variant) -> Launch {
    launch_of("stepper.c", scenario, variant)
}

fn passes(launch: Launch) {
    let ended = launch.run();
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
}

#[test]
fn it_begins_serves_and_gives_all_back() {
    passes(launch("cycle", Variant::Default));
}

#[test]
fn nothing_leaks_under_valgrind() {
    if !skipped(&[Need::Tool("valgrind")]) {
        passes(valgrind(launch("cycle", Variant::Default)));
    }
}

#[test]
fn under_address_sanitizer() {
    if !skipped(&[Need::Tool(Variant::Asan.compiler())]) {
        passes(launch("cycle", Variant::Asan));
        passes(launch("polled", Variant::Asan));
    }
}

#[test]
fn somebody_else_can_wait() {
    passes(launch("polled", Variant::Default));
}

#[test]
fn the_process_stays_the_programs() {
    passes(launch("untouched", Variant::Default));
}

/// CONTRACT S20.
#[test]
fn a_round_is_bounded() {
    passes(launch("bounded", Variant::Default));
}

#[test]
fn any_thread_stops_it() {
    passes(launch("stopped", Variant::Default));
}
