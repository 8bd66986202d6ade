//! From the command line to a server that listens. The order of the steps is CONTRACT D4's.

use std::ffi::{CStr, CString, OsString};
use std::io::PipeReader;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dorrit_engine::{Config, Connections, Engine, Listener, PlainRequests};
use dorrit_proto::{Fragments, Role, Rules};
use nix::unistd::geteuid;

use crate::config::{BUFFER_OVERHEAD, Options, Origins, Protocols, Settings};
use crate::error::{Ending, StartError, errno_text};
use crate::event_loop::{self, Stage, State};
use crate::files::{Files, Pidfile, pidfile_path};
use crate::listen::{self, Activation};
use crate::log;
use crate::pages::Pages;
use crate::process::{self, Credentials, Notifier};
use crate::program::{Flavor, Program, RequestFields};
use crate::restart::{self, HandOver, Handoff, Inheritance, Invocation, Progress};

/// The name of a server that sets none (CONTRACT D6).
pub(crate) const NAME: &CStr = c"server";
/// The name of the socket of a server that sets no name (CONTRACT D6).
const SOCKET_NAME: &CStr = c"dorrit";

/// A server that is to start: the program, and the library that it is linked with.
pub(crate) struct Launch<'a, P> {
    pub(crate) program: &'a P,
    pub(crate) flavor: &'a Flavor,
}

/// A server that listens, as far as it is no affair of the `ws_*` functions.
pub(crate) struct Server {
    pub(crate) files: Files,
    /// What `ws_open_callback` is given.
    pub(crate) fields: RequestFields,
    /// The directory from which plain requests are answered.
    pub(crate) pages: Option<Pages>,
    /// The reading end of the pipe that signals write to.
    pub(crate) wake: PipeReader,
    pub(crate) handover: HandOver,
    pub(crate) notifier: Notifier,
}

/// A start that was found to be possible: what the options ask for.
struct Plan {
    options: Options,
    credentials: Credentials,
    /// The paths at which UNIX sockets are to be made: none where TCP is all that is asked for, or sockets
    /// are there already.
    sockets: Vec<PathBuf>,
    /// The sockets that a service manager has passed.
    passed: Vec<Listener>,
    config: Config,
}

/// What `main` has found before the options are read.
pub(crate) struct Start {
    pub(crate) invocation: Invocation,
    pub(crate) inheritance: Option<Inheritance>,
    pub(crate) activation: Activation,
    pub(crate) notifier: Notifier,
}

/// A start whose options are understood, before the program has run.
pub(crate) struct Prepared {
    options: Options,
    credentials: Credentials,
    start: Start,
}

impl<P: Program> Launch<'_, P> {
    /// Does all up to `ws_init_func`, which follows.
    pub(crate) fn prepare(&self, start: Start) -> Result<Prepared, StartError> {
        let Start { invocation, inheritance, .. } = &start;
        let options = Options::parse(invocation.options(), &invocation.path, self.flavor)?;
        log::set_level(options.log_level);
        if inheritance.is_some() {
            log::set_destination(options.log_destination());
        }
        log::set_program_lines(options.log_destination());
        self.check_program()?;
        let credentials = Credentials::find(&options)?;
        if let Some(path) = &options.config_file {
            self.set_config_file(path)?;
        }
        set_stage(Stage::Init);
        Ok(Prepared { options, credentials, start })
    }

    /// Does all that follows `ws_init_func`, up to a server that listens.
    pub(crate) fn open(&self, prepared: Prepared) -> Result<Server, StartError> {
        let Prepared { options, credentials, start } = prepared;
        let Start { invocation, inheritance, activation, notifier } = start;
        set_stage(Stage::Running);
        let destination = options.log_destination();
        let is_new_start = inheritance.is_some();
        if let Some(signal) = invocation.signal() {
            log::warning(&format!("started anew after signal {signal}"));
        }
        activation.log_faults();
        let plan = self.plan(options, credentials, activation, is_new_start)?;
        if plan.options.is_foreground || is_new_start {
            let server = self.listen(plan, invocation, inheritance, notifier);
            return server.map(announce);
        }
        let parent = process::fork_daemon()?;
        let opened = self.listen(plan, invocation, inheritance, notifier);
        match opened.and_then(|server| process::detach_from_terminal(destination).map(|()| server))
        {
            Ok(server) => {
                log::set_destination(destination);
                // Before the parent leaves: a service manager takes its end for the server's.
                let server = announce(server);
                parent.report_ready();
                Ok(server)
            }
            Err(error) => {
                log::error(&error.text);
                parent.report_failed();
                // What the program has registered to be run at exit is not for a start that failed.
                Err(StartError::silent(Ending::Exit(1)))
            }
        }
    }

    /// Whether the program is one for this library (CONTRACT S15).
    fn check_program(&self) -> Result<(), StartError> {
        if let Some(flag) = self.program.other_library() {
            let why = "compiled with another library's dorrit.h: link with";
            return Err(StartError::new(format_args!("{why} {flag}")));
        }
        match &self.program.missing()[..] {
            [] => Ok(()),
            missing => Err(StartError::new(format_args!("missing: {}", missing.join(", ")))),
        }
    }

    /// Sets `ws_config_file` (CONTRACT D20, S19). The program has it for as long as it runs.
    fn set_config_file(&self, path: &Path) -> Result<(), StartError> {
        let path = CString::new(path.as_os_str().as_bytes()).map_err(StartError::new)?;
        // SAFETY: the program's variable, before the program runs.
        unsafe { *self.program.config_file() = path.into_raw() };
        Ok(())
    }

    /// Checks all that can be checked while the terminal is there and nothing is changed.
    fn plan(
        &self,
        mut options: Options,
        credentials: Credentials,
        activation: Activation,
        is_new_start: bool,
    ) -> Result<Plan, StartError> {
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
        let mut config = self.config(&mut options);
        process::raise_descriptor_limit(&mut config)?;
        Ok(Plan { options, credentials, sockets, passed, config })
    }

    /// The engine's configuration: what the options ask for, and else the program, and else the library.
    fn config(&self, options: &mut Options) -> Config {
        let Flavor { binary, fragments, buffers, max_queued_frames, .. } = *self.flavor;
        let max_fragment = options.buffer - BUFFER_OVERHEAD;
        let mut config = Config {
            max_connections: options.max_connections,
            rules: Rules { role: Role::Server, max_payload: max_fragment, binary, fragments },
            max_fragment,
            buffers,
            max_queued_frames,
            queue_limit: Settings::DEFAULT.queue_limit,
            max_memory: options.max_memory,
            compression: 0,
            keepalive: None,
            plain_requests: match options.pages {
                Some(_) => PlainRequests::Told,
                None => PlainRequests::Refused,
            },
            take_shortage: process::take_shortage,
        };
        let _ = event_loop::with(|State { settings, .. }| {
            if options.fields == RequestFields::HostAndProtocol {
                settings.protocols = Protocols::Any;
            }
            if !options.origins.is_any() {
                settings.origins = std::mem::replace(&mut options.origins, Origins::ANY);
            }
            if let Some(max_payload) = options.max_message.or(settings.max_message) {
                config.rules = Rules { max_payload, fragments: Fragments::Joined, ..config.rules };
            }
            config.queue_limit = options.queue_limit.unwrap_or(settings.queue_limit);
            config.compression = options.compression.unwrap_or(settings.compression);
            config.keepalive = options.keepalive.unwrap_or(settings.keepalive);
        });
        config
    }

    /// Makes the files, gives up privileges and listens; or takes over what the start before has left.
    /// Leaves nothing behind where it fails.
    fn listen(
        &self,
        mut plan: Plan,
        invocation: Invocation,
        inheritance: Option<Inheritance>,
        notifier: Notifier,
    ) -> Result<Server, StartError> {
        let is_new_start = inheritance.is_some();
        // Who can connect can also have seen that the server runs, and may stop it.
        let wake = process::catch_signals(
            plan.options.is_foreground,
            &invocation.mask,
            &invocation.ignored,
        );
        let wake =
            wake.map_err(|error| StartError::new(format_args!("pipe: {}", errno_text(&error))))?;
        let mut files = Files::default();
        let mut predecessor = None;
        let listeners = match inheritance {
            Some(inheritance) => {
                (files, predecessor) = (inheritance.files, inheritance.predecessor);
                let listeners = inheritance.listeners.into_iter().map(listen::listener);
                Ok(listeners
                    .map(|it| if inheritance.is_shared { it.shared() } else { it })
                    .collect())
            }
            None => self.make_listeners(&mut plan, &mut files),
        };
        let has_predecessor = predecessor.is_some();
        let settled = listeners.and_then(|listeners| {
            let pages = self.settle(&plan, &invocation, listeners, &wake, &mut files)?;
            if !is_new_start {
                plan.credentials.log(&plan.options);
            }
            if let Some(predecessor) = predecessor {
                predecessor.succeed(files.pidfile.as_ref())?;
            }
            Ok(pages)
        });
        match settled {
            Ok(pages) => {
                process::disown_children();
                let handover = HandOver {
                    invocation,
                    name: name_or(NAME),
                    log: plan.options.log_destination(),
                    is_foreground: plan.options.is_foreground,
                    drain: plan.options.drain,
                    progress: Progress::None,
                };
                Ok(Server { files, fields: plan.options.fields, pages, wake, handover, notifier })
            }
            Err(error) => {
                if !has_predecessor {
                    files.remove_all();
                }
                Err(error)
            }
        }
    }

    /// Makes the files, and the sockets to listen on.
    fn make_listeners(
        &self,
        plan: &mut Plan,
        files: &mut Files,
    ) -> Result<Vec<Listener>, StartError> {
        if geteuid().is_root() && !plan.options.is_foreground {
            files.pidfile = Some(Pidfile::write(&pidfile_path(&name_or(NAME)))?);
        }
        if !plan.passed.is_empty() {
            return Ok(std::mem::take(&mut plan.passed));
        }
        let mut listeners = Vec::new();
        // First what leaves no file behind where it fails.
        for port in &plan.options.ports {
            let opened = listen::open_tcp(*port, &plan.options.addresses)?;
            listeners.extend(opened.into_iter().map(Listener::from));
        }
        for path in &plan.sockets {
            let (listener, socket) = listen::open_unix(path, &plan.credentials)?;
            files.sockets.push(socket);
            listeners.push(listener.into());
        }
        Ok(listeners)
    }

    /// Becomes who the server is to be, where it is to be, and makes the loop. Returns what it has opened
    /// besides.
    fn settle(
        &self,
        plan: &Plan,
        invocation: &Invocation,
        listeners: Vec<Listener>,
        wake: &PipeReader,
        files: &mut Files,
    ) -> Result<Option<Pages>, StartError> {
        if plan.credentials.is_drop() {
            files.keep_rights()?;
        }
        plan.credentials.assume()?;
        // By the one who will read what is in it.
        let pages = plan.options.pages.as_deref().map(Pages::open).transpose()?;
        if !plan.options.is_foreground {
            let root = Path::new("/");
            let changed = std::env::set_current_dir(root);
            changed.map_err(|error| StartError::path("chdir", root, errno_text(&error)))?;
        }
        let is_shared = listeners.iter().any(Listener::is_shared);
        let make = || {
            let connections = Connections::new(plan.config.max_connections);
            let mut engine = Engine::new(plan.config, Arc::new(connections))?;
            listeners.into_iter().try_for_each(|listener| engine.listen(Arc::new(listener)))?;
            engine.watch_control(wake)?;
            if self.flavor.restarts {
                let listeners: Vec<_> = engine.listeners().map(|it| it.as_raw_fd()).collect();
                let handoff = Handoff {
                    name: &name_or(NAME),
                    directory: &invocation.path,
                    log: plan.options.log_destination(),
                    listeners: &listeners,
                    is_shared,
                    files,
                    predecessor: None,
                };
                restart::arm(invocation, &handoff)?;
            }
            Ok(engine)
        };
        let engine = make();
        let engine = engine
            .map_err(|error| StartError::new(format_args!("loop: {}", errno_text(&error))))?;
        let _ = event_loop::with(|state| {
            let engine = state.engine.insert(engine);
            engine.set_tick(state.periodic.map(|periodic| periodic.period));
        });
        Ok(pages)
    }
}

fn set_stage(stage: Stage) {
    let _ = event_loop::with(|state| state.stage = stage);
}

/// Says that the server listens, and where (CONTRACT S27): a port that was free is known only now.
fn announce(mut server: Server) -> Server {
    let tell = |engine: &mut Engine| {
        for place in engine.listeners().filter_map(listen::place) {
            log::info(&format!("listening on {place}"));
        }
    };
    let _ = event_loop::with_engine(tell);
    server.notifier.notify_ready();
    server
}

/// Says that the server listens on so many sockets that were passed, and not where the options say.
fn log_activation(count: usize, is_default: bool) {
    let others = if is_default { "" } else { "; -l and -p do not count" };
    log::info(&format!("listening on sockets that were passed: {count}{others}"));
}

/// The server's name: what `ws_set_name` has set, or this.
fn name_or(default: &CStr) -> CString {
    let name = event_loop::with(|state| state.name.clone()).ok().flatten();
    name.unwrap_or_else(|| default.to_owned())
}

/// The path of the socket where the options name none: `/var/run/<name>.socket`.
fn default_socket() -> PathBuf {
    let mut file = OsString::from_vec(name_or(SOCKET_NAME).into_bytes());
    file.push(".socket");
    Path::new("/var/run").join(file)
}
