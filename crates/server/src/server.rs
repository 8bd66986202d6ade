//! What the loops of a server share.

use std::sync::Arc;

use dorrit_engine::Connections;

use crate::config::Settings;
use crate::forwarded::Forwarded;
use crate::pages::Pages;
use crate::program::RequestFields;

/// A server, for all of its loops. None of them changes it.
pub(crate) struct Server {
    /// What options and program ask for.
    pub(crate) settings: Settings,
    /// What `ws_open_callback` is given.
    pub(crate) fields: RequestFields,
    /// The directory from which plain requests are answered.
    pub(crate) pages: Option<Pages>,
    /// Which of the addresses that proxies name is the client's.
    pub(crate) forwarded: Option<Forwarded>,
    /// How many connections there are, and may be.
    pub(crate) connections: Arc<Connections>,
}
