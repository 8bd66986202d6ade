//! Whatever clients and program do, and in whatever order: each connection that was opened ends once, what
//! each client is sent are whole frames in their order, and queues and memory are empty again.
#![no_main]

use std::alloc::System;

use dorrit_fuzz::input::Input;
use dorrit_fuzz::server;
use libfuzzer_sys::fuzz_target;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fuzz_target!(|bytes: &[u8]| {
    server::run(Input(bytes), || {
        let stats = ALLOCATOR.stats();
        stats.bytes_allocated - stats.bytes_deallocated
    });
});
