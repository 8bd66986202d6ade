//! Programs in C with servers one after the other.

use super::{launch, passes};
use crate::harness::{Need, Variant, skipped};
use crate::linking::valgrind;

/// CONTRACT S6, F6: a handle names nothing of a later server.
#[test]
fn handles_of_an_earlier_server() {
    passes(launch("earlier.c", Variant::Default));
}

/// CONTRACT S20: messages, posts, timers and watched descriptors of which there are always more.
#[test]
fn a_round_ends_in_a_flood() {
    passes(launch("floods.c", Variant::Default));
}

/// Handled, ignored or left alone: signals are the program's again when `ws_main` has returned.
#[test]
fn signals_are_the_programs_again() {
    passes(launch("mains.c", Variant::Default));
}

#[test]
fn under_valgrind() {
    if skipped(&[Need::Tool("valgrind")]) {
        return;
    }
    for source in ["earlier.c", "mains.c"] {
        passes(launch(source, Variant::Default).map(valgrind));
    }
}
