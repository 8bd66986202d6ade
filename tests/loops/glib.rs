//! c-examples/loop_glib.c.

use super::{Example, each_test};

const GLIB: Example = Example {
    name: "loop_glib",
    package: Some("glib-2.0"),
    flags: &[],
    header: "glib.h",
    missing: "GLib's headers are not installed",
};

each_test!(GLIB);
