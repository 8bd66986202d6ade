//! `main`: from the command line to the exit status.

use std::ffi::{CStr, CString, OsStr, OsString, c_char, c_int};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use dorrit_engine::{Config, Engine};
use dorrit_proto::Rules;
use nix::unistd::geteuid;

use crate::daemon::{self, Parent};
use crate::dispatch;
use crate::host::{self, Stage};
use crate::janitor::Files;
use crate::options::{BUFFER_OVERHEAD, Options};
use crate::pidfile::Pidfile;
use crate::privileges::Credentials;
use crate::program::{Flavor, Program};
use crate::start::{StartError, words};
use crate::{limits, log, signals, socket};

/// The name of a server that sets none, and of its socket (CONTRACT D6).
const NAME: &CStr = c"server";
const SOCKET_NAME: &str = "dorrit";

/// Runs the server until it is told to stop. Returns the exit status of `main`.
///
/// # Safety
/// `argc` and `argv` are those of `main`.
pub unsafe fn run(
    argc: c_int,
    argv: *const *const c_char,
    program: &impl Program,
    flavor: &Flavor,
) -> c_int {
    host::guard(1, || {
        host::claim();
        signals::ignore_sigpipe();
        log::open(NAME);
        // SAFETY: the caller's promise.
        let arguments = unsafe { arguments(argc, argv) };
        match start(&arguments, program, flavor) {
            Ok(server) => server.serve(program),
            Err(error) => {
                log::terminal(&error.text);
                error.status
            }
        }
    })
}

/// # Safety
/// `argc` and `argv` are those of `main`.
unsafe fn arguments(argc: c_int, argv: *const *const c_char) -> Vec<OsString> {
    let count = if argv.is_null() { 0 } else { usize::try_from(argc).unwrap_or(0) };
    // SAFETY: there are so many strings, each of which ends with a zero byte.
    let argument = |i| unsafe { CStr::from_ptr(*argv.add(i)) }.to_bytes().to_vec();
    (1..count).map(|i| OsString::from_vec(argument(i))).collect()
}

/// A server that listens.
struct Server {
    files: Files,
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

fn start(
    arguments: &[OsString],
    program: &impl Program,
    flavor: &Flavor,
) -> Result<Server, StartError> {
    let options = Options::parse(arguments, flavor)?;
    let missing = program.missing();
    if !missing.is_empty() {
        return Err(StartError::new(format_args!("missing: {}", missing.join(", "))));
    }
    let credentials = Credentials::find(&options)?;
    if let Some(path) = &options.config_file {
        set_config_file(program, path)?;
    }
    init(program);
    let plan = plan(options, credentials, flavor)?;
    let parent = if plan.options.is_foreground { None } else { Some(daemon::detach()?) };
    match open(&plan) {
        Ok(server) => ready(server, parent),
        Err(error) => fail(error, parent),
    }
}

/// Sets `ws_config_file` (CONTRACT D20, S19). The program has it for as long as it runs.
fn set_config_file(program: &impl Program, path: &Path) -> Result<(), StartError> {
    let path = CString::new(path.as_os_str().as_bytes()).map_err(StartError::new)?;
    // SAFETY: the program's variable, before the program runs.
    unsafe { *program.config_file() = path.into_raw() };
    Ok(())
}

/// Calls `ws_init_func` (CONTRACT D4).
fn init(program: &impl Program) {
    let set_stage = |stage| {
        let _ = host::with(|state| state.stage = stage);
    };
    set_stage(Stage::Init);
    program.init();
    set_stage(Stage::Running);
}

/// Checks all that can be checked while the terminal is there and nothing is changed.
fn plan(options: Options, credentials: Credentials, flavor: &Flavor) -> Result<Plan, StartError> {
    credentials.tell(&options);
    let socket = options.socket.clone().unwrap_or_else(default_socket);
    socket::check(&socket)?;
    let max_payload = options.buffer - BUFFER_OVERHEAD;
    let mut config = Config {
        max_connections: options.max_connections,
        rules: Rules { max_payload, binary: flavor.binary, fragments: flavor.fragments },
        max_fragment: max_payload,
        buffers: flavor.buffers,
    };
    limits::raise(&mut config)?;
    Ok(Plan { options, credentials, socket, config })
}

fn default_socket() -> PathBuf {
    let name = host::with(|state| state.name.clone()).ok().flatten();
    let name = name.map_or(SOCKET_NAME.into(), |name| OsString::from_vec(name.into_bytes()));
    var_run(&name, ".socket")
}

/// `/var/run/<name><suffix>`.
fn var_run(name: &OsStr, suffix: &str) -> PathBuf {
    let mut file = name.to_owned();
    file.push(suffix);
    Path::new("/var/run").join(file)
}

/// Makes the files, gives up privileges and begins to listen. Leaves nothing behind where it fails.
fn open(plan: &Plan) -> Result<Server, StartError> {
    let has_pidfile = geteuid().is_root() && !plan.options.is_foreground;
    let pidfile = if has_pidfile { Some(Pidfile::write(&pidfile_path())?) } else { None };
    let own_pidfile = pidfile.as_ref().map(|pidfile| pidfile.file.clone());
    let (listener, socket) = match socket::open(&plan.socket, &plan.credentials) {
        Ok(opened) => opened,
        Err(error) => {
            let _ = own_pidfile.map(|file| file.remove());
            return Err(error);
        }
    };
    let mut files = Files::new(socket, own_pidfile);
    match settle(plan, listener, &mut files) {
        Ok(()) => Ok(Server { files, _pidfile: pidfile }),
        Err(error) => {
            files.remove_all();
            Err(error)
        }
    }
}

fn pidfile_path() -> PathBuf {
    let name = host::with(|state| state.name.clone()).ok().flatten();
    let name = name.unwrap_or_else(|| NAME.to_owned()).into_bytes();
    var_run(&OsString::from_vec(name), ".pid")
}

fn settle(
    plan: &Plan,
    listener: std::os::unix::net::UnixListener,
    files: &mut Files,
) -> Result<(), StartError> {
    if plan.credentials.is_drop() {
        files.keep_rights()?;
    }
    plan.credentials.take_on()?;
    if !plan.options.is_foreground {
        let root = Path::new("/");
        std::env::set_current_dir(root)
            .map_err(|error| StartError::path("chdir", root, words(&error)))?;
    }
    let listen = || {
        let mut engine = Engine::new(plan.config)?;
        engine.listen(listener)?;
        engine.watch_control(signals::catch_stop(plan.options.is_foreground)?)?;
        Ok(engine)
    };
    let engine =
        listen().map_err(|error| StartError::new(format_args!("loop: {}", words(&error))))?;
    let _ = host::with(|state| {
        let engine = state.engine.insert(engine);
        engine.set_tick(state.periodic.map(|periodic| periodic.period));
    });
    Ok(())
}

fn ready(server: Server, parent: Option<Parent>) -> Result<Server, StartError> {
    let Some(parent) = parent else { return Ok(server) };
    log::use_syslog();
    parent.tell_ready()?;
    Ok(server)
}

/// Says why the start failed. A daemon says it itself, on the terminal that it still has.
fn fail(error: StartError, parent: Option<Parent>) -> Result<Server, StartError> {
    let Some(parent) = parent else { return Err(error) };
    log::terminal(&error.text);
    parent.tell_failed();
    // SAFETY: what the program has registered to be run at exit is the terminal's, not the daemon's.
    unsafe { libc::_exit(error.status) }
}

impl Server {
    /// Serves until the end (CONTRACT S10).
    fn serve(mut self, program: &impl Program) -> c_int {
        let status = dispatch::serve(program, &mut self.files);
        program.exit();
        self.files.remove_all();
        let _ = host::with(|state| state.engine = None);
        status
    }
}
