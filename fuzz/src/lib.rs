//! What the fuzz targets share: how an input is taken apart, and models of a server's clients.

pub mod client;
pub mod input;
pub mod pipeline;
pub mod requests;
pub mod server;
pub mod setup;
pub mod sources;
pub mod stream;

use dorrit_server::{Binary, Buffers, Flavor, Fragments, RequestFields};

const DORRIT: Flavor = Flavor {
    manual: "libdorrit(3)",
    max_connections: 16384,
    binary: Binary::Accepted,
    fragments: Fragments::Refused,
    buffers: Buffers::Shared,
    max_queued_frames: None,
    without_h: None,
    has_extensions: true,
    restarts: false,
};

/// Both libraries, as far as their command lines differ.
pub const FLAVORS: [Flavor; 2] = [
    DORRIT,
    Flavor { without_h: Some(RequestFields::HostAndProtocol), has_extensions: false, ..DORRIT },
];
