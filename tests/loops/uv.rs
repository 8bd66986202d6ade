//! c-examples/loop_uv.c.

use super::{Example, each_test};

const UV: Example = Example {
    name: "loop_uv",
    package: Some("libuv"),
    flags: &[],
    header: "uv.h",
    missing: "libuv's headers are not installed",
};

each_test!(UV);
