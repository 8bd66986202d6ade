//! A start that was found to be possible: what the options ask for.

use std::ffi::{CStr, OsString};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use dorrit_engine::{Config, Listener, PlainRequests, Upgrades};
use dorrit_proto::{Fragments, Role, Rules};

use crate::config::{BUFFER_OVERHEAD, Options, Origins, Protocols, Settings};
use crate::error::StartError;
use crate::listen::{self, Activation};
use crate::process::{self, Credentials};
use crate::program::{Flavor, Program, RequestFields};
use crate::{log, setup};

/// The name of the socket of a server that sets no name (CONTRACT D6).
const SOCKET_NAME: &CStr = c"dorrit";

/// A start that was found to be possible: what the options ask for.
pub(super) struct Plan {
    pub(super) options: Options,
    pub(super) credentials: Credentials,
    /// The paths at which UNIX sockets are to be made: none where TCP is all that is asked for, or sockets
    /// are there already.
    pub(super) sockets: Vec<PathBuf>,
    /// The sockets that a service manager has passed.
    pub(super) passed: Vec<Listener>,
    pub(super) config: Config,
    /// What options and program ask for besides.
    pub(super) settings: Settings,
}

impl Plan {
    /// Checks all that can be checked while the terminal is there and nothing is changed.
    pub(super) fn new(
        program: &impl Program,
        flavor: &Flavor,
        mut options: Options,
        credentials: Credentials,
        activation: Activation,
        is_new_start: bool,
    ) -> Result<Self, StartError> {
        let passed = activation.listeners;
        let is_default = options.sockets.is_empty() && options.ports.is_empty();
        let sockets = if is_new_start || !passed.is_empty() {
            Vec::new()
        } else if is_default {
            vec![default_socket()]
        } else {
            options.sockets.clone()
        };
        sockets.iter().try_for_each(|path| listen::check_path(path))?;
        if !passed.is_empty() {
            log_activation(passed.len(), is_default);
        }
        let settings = settings(&mut options);
        let mut config = config(program, flavor, &options, &settings);
        process::raise_descriptor_limit(&mut config)?;
        Ok(Self { options, credentials, sockets, passed, config, settings })
    }
}

/// What the options ask for, and else the program.
fn settings(options: &mut Options) -> Settings {
    let set = setup::with(|setup| std::mem::replace(&mut setup.settings, Settings::DEFAULT));
    let mut settings = set.unwrap_or(Settings::DEFAULT);
    if options.fields == RequestFields::HostAndProtocol {
        settings.protocols = Protocols::Any;
    }
    if !options.origins.is_any() {
        settings.origins = std::mem::replace(&mut options.origins, Origins::ANY);
    }
    settings.max_message = options.max_message.or(settings.max_message);
    settings.queue_limit = options.queue_limit.unwrap_or(settings.queue_limit);
    settings.compression = options.compression.unwrap_or(settings.compression);
    settings.keepalive = options.keepalive.unwrap_or(settings.keepalive);
    settings
}

/// The engine's configuration: what is asked for, and else the library's.
fn config(
    program: &impl Program,
    flavor: &Flavor,
    options: &Options,
    settings: &Settings,
) -> Config {
    let Flavor { binary, fragments, buffers, max_queued_frames, .. } = *flavor;
    let max_fragment = options.buffer - BUFFER_OVERHEAD;
    let rules = Rules { role: Role::Server, max_payload: max_fragment, binary, fragments };
    Config {
        max_connections: options.max_connections,
        rules: match settings.max_message {
            Some(max_payload) => Rules { max_payload, fragments: Fragments::Joined, ..rules },
            None => rules,
        },
        max_fragment,
        buffers,
        max_queued_frames,
        queue_limit: settings.queue_limit,
        max_memory: options.max_memory,
        compression: settings.compression,
        keepalive: settings.keepalive,
        upgrades: match program.has_no_connections() {
            true => Upgrades::Refused,
            false => Upgrades::Told,
        },
        plain_requests: match options.pages {
            _ if program.has_request() => PlainRequests::ToldWithBody(options.max_body),
            Some(_) => PlainRequests::Told,
            None => PlainRequests::Refused,
        },
        decision_timeout: options.defer_timeout,
        is_proxied: options.is_proxied,
        take_shortage: process::take_shortage,
    }
}

/// Says that the server listens on so many sockets that were passed, and not where the options say.
fn log_activation(count: usize, is_default: bool) {
    let others = if is_default { "" } else { "; -l and -p do not count" };
    log::info(&format!("listening on sockets that were passed: {count}{others}"));
}

/// The path of the socket where the options name none: `/var/run/<name>.socket`.
fn default_socket() -> PathBuf {
    let mut file = OsString::from_vec(setup::name_or(SOCKET_NAME).into_bytes());
    file.push(".socket");
    Path::new("/var/run").join(file)
}
