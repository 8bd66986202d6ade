//! c-examples/loop_ev.c.

use super::{Example, each_test};

/// pkg-config knows nothing of it.
const EV: Example = Example {
    name: "loop_ev",
    package: None,
    flags: &["-lev"],
    header: "ev.h",
    missing: "libev's headers are not installed",
};

each_test!(EV);
