//! From the command line to a server that listens. The order of the steps is CONTRACT D4's.

use std::ffi::{CStr, CString, OsString};
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use dorrit_engine::{Config, Engine};
use dorrit_proto::{Fragments, Rules};
use nix::unistd::geteuid;

use crate::daemon;
use crate::files::Files;
use crate::host::{self, Stage, State};
use crate::options::{BUFFER_OVERHEAD, Options};
use crate::pidfile::Pidfile;
use crate::privileges::Credentials;
use crate::program::{Flavor, Program, Told};
use crate::restart::{self, Legacy, Origin, Place};
use crate::settings::{Protocols, Settings};
use crate::start::{StartError, words};
use crate::{limits, log, pidfile, signals, socket};

/// The name of a server that sets none, and of its socket (CONTRACT D6).
pub(crate) const NAME: &CStr = c"server";
const SOCKET_NAME: &CStr = c"dorrit";

/// A server that is to be.
pub(crate) struct Launch<'a, P> {
    pub(crate) program: &'a P,
    pub(crate) flavor: &'a Flavor,
}

/// A server that listens.
pub(crate) struct Server {
    pub(crate) files: Files,
    pub(crate) told: Told,
    /// It stays locked until the end.
    _pidfile: Option<Pidfile>,
}

/// What is asked for, found to be possible.
struct Plan {
    options: Options,
    credentials: Credentials,
    socket: PathBuf,
    config: Config,
}

/// The descriptors of a server that is about to listen.
struct Ends {
    listener: UnixListener,
    /// Wakes the loop on SIGTERM.
    stop: OwnedFd,
    pidfile: Option<RawFd>,
}

impl<P: Program> Launch<'_, P> {
    pub(crate) fn launch(
        &self,
        origin: Origin,
        legacy: Option<Legacy>,
    ) -> Result<Server, StartError> {
        let options = Options::parse(origin.options(), &origin.path, self.flavor)?;
        let is_new_start = legacy.is_some();
        if is_new_start && !options.is_foreground {
            log::use_syslog();
        }
        self.check_program()?;
        let credentials = Credentials::find(&options)?;
        if let Some(path) = &options.config_file {
            self.set_config_file(path)?;
        }
        self.init();
        if let Some(signal) = origin.signal() {
            log::warning(&format!("started anew after signal {signal}"));
        }
        let plan = self.plan(options, credentials, is_new_start)?;
        if plan.options.is_foreground || is_new_start {
            return self.open(&plan, origin, legacy);
        }
        let parent = daemon::detach()?;
        let opened = self.open(&plan, origin, legacy);
        match opened.and_then(|server| daemon::let_go().map(|()| server)) {
            Ok(server) => {
                log::use_syslog();
                parent.tell_ready();
                Ok(server)
            }
            Err(error) => {
                log::error(&error.text);
                parent.tell_failed()
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

    /// Calls `ws_init_func`.
    fn init(&self) {
        let set_stage = |stage| {
            let _ = host::with(|state| state.stage = stage);
        };
        set_stage(Stage::Init);
        self.program.init();
        set_stage(Stage::Running);
    }

    /// Checks all that can be checked while the terminal is there and nothing is changed.
    fn plan(
        &self,
        options: Options,
        credentials: Credentials,
        is_new_start: bool,
    ) -> Result<Plan, StartError> {
        let socket = match &options.socket {
            Some(path) => path.clone(),
            None => default_socket(),
        };
        if !is_new_start {
            socket::check(&socket)?;
        }
        let mut config = self.config(&options);
        limits::raise(&mut config)?;
        Ok(Plan { options, credentials, socket, config })
    }

    /// What the options ask for, and else the program, and else the library.
    fn config(&self, options: &Options) -> Config {
        let Flavor { binary, fragments, buffers, max_queued_frames, .. } = *self.flavor;
        let max_fragment = options.buffer - BUFFER_OVERHEAD;
        let mut config = Config {
            max_connections: options.max_connections,
            rules: Rules { max_payload: max_fragment, binary, fragments },
            max_fragment,
            buffers,
            max_queued_frames,
            queue_limit: Settings::DEFAULT.queue_limit,
            compression: 0,
            keepalive: None,
        };
        let _ = host::with(|State { settings, .. }| {
            if options.told == Told::HostAndProtocol {
                settings.protocols = Protocols::Any;
            }
            if !options.origins.is_empty() {
                settings.origins = options.origins.clone();
            }
            if let Some(max_payload) = options.max_message.or(settings.max_message) {
                config.rules = Rules { max_payload, binary, fragments: Fragments::Joined };
            }
            config.queue_limit = settings.queue_limit;
            config.compression = options.compression.unwrap_or(settings.compression);
            config.keepalive = options.keepalive.unwrap_or(settings.keepalive);
        });
        config
    }

    /// Makes the files, gives up privileges and listens. Leaves nothing behind where it fails.
    fn open(
        &self,
        plan: &Plan,
        origin: Origin,
        legacy: Option<Legacy>,
    ) -> Result<Server, StartError> {
        let path = pidfile::path(&name_or(NAME));
        let is_new_start = legacy.is_some();
        let (inherited, lock) = match legacy {
            Some(Legacy { listener, file, janitor, pidfile }) => {
                (Some((listener, file, janitor)), pidfile)
            }
            None => (None, None),
        };
        // Who can connect can also have seen that the server runs, and may stop it.
        let stop = signals::catch_stop(plan.options.is_foreground);
        let stop =
            stop.map_err(|error| StartError::new(format_args!("pipe: {}", words(&error))))?;
        let has_pidfile = geteuid().is_root() && !plan.options.is_foreground;
        let pidfile = match lock {
            Some(lock) => Pidfile::inherit(lock, &path).ok(),
            None if has_pidfile => Some(Pidfile::write(&path)?),
            None => None,
        };
        let own_pidfile = pidfile.as_ref().map(|pidfile| pidfile.file.clone());
        let (listener, mut files) = match inherited {
            Some((listener, file, janitor)) => {
                Files::inherit(listener, file, janitor, plan.socket.clone(), own_pidfile)
            }
            None => Files::make(&plan.socket, &plan.credentials, own_pidfile)?,
        };
        if !is_new_start {
            plan.credentials.tell(&plan.options);
        }
        let ends = Ends { listener, stop, pidfile: pidfile.as_ref().map(|it| it.as_raw_fd()) };
        match self.settle(plan, origin, ends, &mut files) {
            Ok(()) => Ok(Server { files, told: plan.options.told, _pidfile: pidfile }),
            Err(error) => {
                files.remove_all();
                Err(error)
            }
        }
    }

    /// Becomes who the server is to be, where it is to be, and makes the loop.
    fn settle(
        &self,
        plan: &Plan,
        origin: Origin,
        ends: Ends,
        files: &mut Files,
    ) -> Result<(), StartError> {
        if plan.credentials.is_drop() {
            files.keep_rights()?;
        }
        plan.credentials.take_on()?;
        if !plan.options.is_foreground {
            let root = Path::new("/");
            let changed = std::env::set_current_dir(root);
            changed.map_err(|error| StartError::path("chdir", root, words(&error)))?;
        }
        let Ends { listener, stop, pidfile } = ends;
        let fd = listener.as_raw_fd();
        let make = || {
            let mut engine = Engine::new(plan.config)?;
            engine.listen(listener)?;
            engine.watch_control(stop)?;
            if self.flavor.restarts {
                let place = Place {
                    name: &name_or(NAME),
                    socket: &plan.socket,
                    is_foreground: plan.options.is_foreground,
                };
                restart::arm(origin, &place, fd, files, pidfile)?;
            }
            Ok(engine)
        };
        let engine = make();
        let engine =
            engine.map_err(|error| StartError::new(format_args!("loop: {}", words(&error))))?;
        let _ = host::with(|state| {
            let engine = state.engine.insert(engine);
            engine.set_tick(state.periodic.map(|periodic| periodic.period));
        });
        Ok(())
    }
}

/// What `ws_set_name` has set, or this.
fn name_or(default: &CStr) -> CString {
    let name = host::with(|state| state.name.clone()).ok().flatten();
    name.unwrap_or_else(|| default.to_owned())
}

/// `/var/run/<name>.socket`.
fn default_socket() -> PathBuf {
    let mut file = OsString::from_vec(name_or(SOCKET_NAME).into_bytes());
    file.push(".socket");
    Path::new("/var/run").join(file)
}
