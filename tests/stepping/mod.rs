//! Servers in a process that is the program's own: begun, stepped, and ended.

mod exceptions;
mod servers;
mod starts;
