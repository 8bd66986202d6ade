//! CONTRACT S26: an exception that leaves a callback passes through `ws_step`, and the server is whole afterwards
//! (tests/c/catches.cc).

use crate::harness::{Launch, Need, Variant, skipped};
use crate::linking::valgrind;

fn launch() -> Launch {
    let launch = Launch::of("catches.cc", Variant::Cxx).socket(None);
    let socket = launch.run_dir().join("own.socket").display().to_string();
    launch.args([socket])
}

#[test]
fn it_is_caught_around_a_step() {
    if !skipped(&[Need::Tool(Variant::Cxx.compiler())]) {
        let ended = launch().run();
        assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    }
}

#[test]
fn nothing_leaks_under_valgrind() {
    if !skipped(&[Need::Tool(Variant::Cxx.compiler()), Need::Tool("valgrind")]) {
        let ended = valgrind(launch()).run();
        assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    }
}
