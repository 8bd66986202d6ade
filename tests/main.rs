//! C programs against the library: built as C programmers build them, run, and talked to by a
//! client of our own.
//!
//! Each module is named after the behaviour that it pins; the doc comments name the clause. One
//! test: `cargo test --test c_programs closing::`.

mod harness;

mod accepting;
mod arrows;
mod bad_start;
mod beyond;
mod browser;
mod children;
mod classic;
mod closing;
mod cookies;
mod counts;
mod credentials;
mod daemon;
mod descriptors;
mod examples;
mod exceptions;
mod exports;
mod figures;
mod flow;
mod frames_in;
mod frames_out;
mod handles;
mod handover;
mod handshake;
mod header;
mod help;
mod hostile;
mod interrupted_calls;
mod limits;
mod linking;
mod listeners;
mod log_devices;
mod logging;
mod loops;
mod make_run;
mod manual;
mod memory;
mod options;
mod ordinary_user;
mod out_of_memory;
mod own_main;
mod packages;
mod pages;
mod peers;
mod periodic;
mod programs;
mod proxies;
mod rc_d;
mod reentrancy;
mod refusals;
mod requests;
mod short_calls;
mod signals;
mod slow_peers;
mod socket_file;
mod stepping;
mod stopping;
mod systemd;
mod tasks;
mod tcp;
mod threads;
