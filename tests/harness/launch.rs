//! How a program is started: in which directory, with which arguments, by whom and under what.

use std::fs::{File, Permissions};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use super::client::Client;
use super::disk::RunFiles;
use super::ended::Ended;
use super::passing::pass;
use super::process::{Process, TAG};
use super::program::{Variant, program};
use super::server::Server;
use super::wait::until;

/// A program about to be started. Its directory holds `run`, in which it starts and where its
/// socket goes, and `out`, where its journal and its output go.
pub(crate) struct Launch {
    source: &'static str,
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    wrapper: Vec<String>,
    passed: Vec<Option<OwnedFd>>,
    socket: Option<PathBuf>,
    is_tcp: bool,
    run_files: Option<RunFiles>,
    dir: TempDir,
    tag: String,
}

impl Launch {
    /// A source of tests/c, compiled like that.
    pub(crate) fn of(source: &'static str, variant: Variant) -> Launch {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = tempfile::tempdir().expect("a temporary directory");
        for name in ["", "run", "out"] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(&path).expect("a directory");
            std::fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("its mode");
        }
        let launch = Launch {
            source,
            program: program(source, variant),
            arguments: Vec::new(),
            environment: Vec::new(),
            wrapper: Vec::new(),
            passed: Vec::new(),
            socket: Some(dir.path().join("run/socket")),
            is_tcp: false,
            run_files: None,
            dir,
            tag: format!("{}-{number}", std::process::id()),
        };
        let journal = launch.dir().join("out/journal").display().to_string();
        launch.env("PROBE_LOG", &journal)
    }

    /// The server that its client commands (tests/c/probe.c).
    pub(crate) fn probe() -> Launch {
        Launch::of("probe.c", Variant::Default)
    }

    /// The same for libdorrit(8) (tests/c/classic/probe.c).
    pub(crate) fn classic() -> Launch {
        Launch::of("classic/probe.c", Variant::Default)
    }

    /// The directory that is this launch's own.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The directory in which the program starts.
    pub(crate) fn run_dir(&self) -> PathBuf {
        self.dir().join("run")
    }

    /// A server name that nobody else uses.
    pub(crate) fn unique_name(&self) -> String {
        format!("dorrit-test-{}", self.tag)
    }

    /// With another program, compiled elsewhere.
    pub(crate) fn with_program(mut self, program: PathBuf) -> Launch {
        self.program = program;
        self
    }

    /// With more arguments.
    pub(crate) fn args<S: Into<String>>(mut self, more: impl IntoIterator<Item = S>) -> Launch {
        self.arguments.extend(more.into_iter().map(Into::into));
        self
    }

    /// With a variable in its environment.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Launch {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Where the socket is to be; `None` gives no -l, and says nothing of where to look for it.
    pub(crate) fn socket(mut self, path: Option<PathBuf>) -> Launch {
        self.socket = path;
        self
    }

    /// On a free port of 127.0.0.1 too, which is where its clients come then.
    pub(crate) fn tcp(mut self) -> Launch {
        self.is_tcp = true;
        self.args(["-p", "0"])
    }

    /// Under that name, whose files in /var/run are removed when the test is over. Every daemon
    /// needs one.
    pub(crate) fn name(mut self, name: &str) -> Launch {
        self.run_files = Some(RunFiles::of(name));
        self.env("PROBE_NAME", name)
    }

    /// With soft and hard limits of descriptors.
    pub(crate) fn descriptors(self, soft: u64, hard: u64) -> Launch {
        let script = format!("ulimit -S -n {soft} && ulimit -H -n {hard} && exec \"$0\" \"$@\"");
        self.under(["sh", "-c", &script])
    }

    /// Under another program, which takes the command as its last arguments. What comes later
    /// stands further inside.
    pub(crate) fn under<'a>(mut self, wrapper: impl IntoIterator<Item = &'a str>) -> Launch {
        self.wrapper.extend(wrapper.into_iter().map(str::to_owned));
        self
    }

    /// With these as its descriptors from 3 on, as systemd passes them; `None` is closed. The process
    /// that is started is the one that they are for.
    pub(crate) fn passing(
        mut self,
        descriptors: impl IntoIterator<Item = Option<OwnedFd>>,
    ) -> Launch {
        self.passed.extend(descriptors);
        let count = self.passed.len().to_string();
        self.env("LISTEN_FDS", &count).for_itself("LISTEN_PID")
    }

    /// With a variable that is its own process id.
    pub(crate) fn for_itself(self, name: &str) -> Launch {
        let script = format!("{name}=$$ && export {name} && exec \"$0\" \"$@\"");
        self.under(["sh", "-c", &script])
    }

    /// With a program that everybody may run: one that needs nothing of the build directory, which
    /// others may not read.
    pub(crate) fn everybodys(mut self) -> Launch {
        let copy = self.dir().join("program");
        let original = program(self.source, Variant::StaticLibrary);
        let copied = Command::new("cp").arg(original).arg(&copy).status();
        assert!(copied.expect("cp runs").success());
        self.program = copy;
        self
    }

    /// Started by an ordinary user.
    pub(crate) fn by_user(self, uid: u32, gid: u32) -> Launch {
        for path in ["run", "out"].map(|name| self.dir().join(name)) {
            std::os::unix::fs::chown(path, Some(uid), Some(gid)).expect("root may");
        }
        let (uid, gid) = (format!("--reuid={uid}"), format!("--regid={gid}"));
        self.everybodys().under(["setpriv", &uid, &gid, "--clear-groups"])
    }

    /// Starts the server in the foreground (-x) and waits until it takes connections.
    pub(crate) fn start(self) -> Server {
        let started = self.start_when(|_| true);
        started.unwrap_or_else(|ended| panic!("it left with {:?}: {}", ended.code, ended.stderr))
    }

    /// The same, or how it ended where it did not start: what fails may listen before. A server says where it
    /// listens when nothing can fail any more.
    pub(crate) fn try_start(self) -> Result<Server, Ended> {
        self.start_when(|launch| launch.output("stderr").contains(": listening on "))
    }

    fn start_when(self, has_started: impl Fn(&Launch) -> bool) -> Result<Server, Ended> {
        let launch = self.args(["-x"]);
        let mut child = launch.spawn();
        let socket = launch.socket_path();
        let begun = until(|| match child.try_wait().expect("it is our child") {
            Some(status) => Some(Err(status.code())),
            None if !has_started(&launch) => None,
            None => UnixStream::connect(&socket).ok().map(Ok),
        });
        match begun.unwrap_or_else(|| panic!("no server on {}", socket.display())) {
            Ok(client) => {
                let mut client = Client::on(client);
                let process = Process::at(&client);
                // What it says at its start it has said when it deals with clients.
                client.stream().shutdown(Shutdown::Write).expect("it is open");
                client.expect_end();
                Ok(launch.into_server(Some(child), process))
            }
            Err(code) => Err(launch.into_ended(code)),
        }
    }

    /// Starts the server in the foreground, and waits until it listens on TCP: on nothing else, where
    /// there is no socket.
    pub(crate) fn start_tcp(self) -> Server {
        let launch = Launch { is_tcp: true, ..self }.args(["-x"]);
        let mut child = launch.spawn();
        let process = until(|| {
            if let Some(status) = child.try_wait().expect("it is our child") {
                panic!("the server left with {status}: {}", launch.output("stderr"));
            }
            tcp_process(&launch.tag)
        });
        launch.into_server(Some(child), process.expect("a server on TCP"))
    }

    /// Starts the server in the foreground on the sockets that it is passed, to which clients can connect
    /// before it runs.
    pub(crate) fn start_passed(self) -> Server {
        let launch = self.args(["-x"]);
        let child = launch.spawn();
        let process = Process(Pid::from_child(&child));
        launch.into_server(Some(child), process)
    }

    /// Starts the server as a daemon: when the parent is gone it takes connections at once
    /// (CONTRACT S1).
    pub(crate) fn start_daemon(self) -> Server {
        let (is_tcp, tag, socket) = (self.is_tcp, self.tag.clone(), self.socket_path());
        self.start_daemon_by(|| match is_tcp {
            true => until(|| tcp_process(&tag)).expect("a server on TCP"),
            false => Process::at(Client::raw(&socket)),
        })
    }

    /// The same where that says which process it is.
    pub(crate) fn start_daemon_by(self, find: impl FnOnce() -> Process) -> Server {
        // The daemon becomes our child when its parent leaves, so that its exit status can be had.
        let started = self.try_start_daemon_by(find);
        started.unwrap_or_else(|ended| panic!("it left with {:?}: {}", ended.code, ended.stderr))
    }

    /// The same, or how it ended where it did not start.
    pub(crate) fn try_start_daemon_by(
        self,
        find: impl FnOnce() -> Process,
    ) -> Result<Server, Ended> {
        let this = rustix::process::getpid();
        rustix::process::set_child_subreaper(Some(this)).expect("Linux lets us");
        let mut child = self.spawn();
        match self.wait(&mut child) {
            Some(0) => Ok(self.into_server(None, find())),
            code => Err(self.into_ended(code)),
        }
    }

    fn into_server(self, child: Option<Child>, process: Process) -> Server {
        let tcp = if self.is_tcp { process.listening() } else { Vec::new() };
        let socket = self.socket_path();
        Server::new(child, process, (socket, tcp), self.tag, (self.dir, self.run_files))
    }

    /// Runs the program to its end, which must come by itself.
    pub(crate) fn run(self) -> Ended {
        let mut child = self.spawn();
        let code = self.wait(&mut child);
        self.into_ended(code)
    }

    fn into_ended(self, code: Option<i32>) -> Ended {
        // A cleaner that has done its work may need a moment to be gone.
        let nobody = until(|| Process::tagged(&self.tag).is_empty().then(Vec::new));
        let left = nobody.unwrap_or_else(|| Process::tagged(&self.tag));
        left.iter().for_each(|process| process.signal(Signal::KILL));
        Ended {
            code,
            stdout: self.output("stdout"),
            stderr: self.output("stderr"),
            left_behind: left.len(),
            dir: self.dir,
            _run_files: self.run_files,
        }
    }

    /// Where clients find the server.
    pub(crate) fn socket_path(&self) -> PathBuf {
        let default = || match &self.run_files {
            Some(files) => files.path("socket"),
            None => "/var/run/dorrit.socket".into(),
        };
        self.socket.as_ref().map_or_else(default, |path| self.run_dir().join(path))
    }

    fn spawn(&self) -> Child {
        let mut words = self.wrapper.iter().map(Path::new).chain([self.program.as_path()]);
        let mut command = Command::new(words.next().expect("the program at least"));
        command.args(words).args(&self.arguments).current_dir(self.run_dir());
        if let Some(socket) = &self.socket {
            command.arg("-l").arg(socket);
        }
        let file = |name| File::create(self.dir().join("out").join(name)).expect("a file");
        command
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env(TAG, &self.tag)
            .stdin(Stdio::null())
            .stdout(file("stdout"))
            .stderr(file("stderr"));
        pass(&mut command, &self.passed);
        command.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}"))
    }

    fn wait(&self, child: &mut Child) -> Option<i32> {
        match until(|| child.try_wait().expect("it is our child")) {
            Some(status) => status.code(),
            None => {
                let left = Process::tagged(&self.tag);
                left.iter().for_each(|process| process.signal(Signal::KILL));
                panic!("it does not end; it said {:?}", self.output("stderr"));
            }
        }
    }

    fn output(&self, name: &str) -> String {
        let bytes = std::fs::read(self.dir().join("out").join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// The process that listens on TCP. While a cleaner is started there are two for a moment.
fn tcp_process(tag: &str) -> Option<Process> {
    let all = Process::tagged(tag).into_iter();
    let mut listening = all.filter(|process| !process.listening().is_empty());
    let first = listening.next();
    if listening.next().is_some() { None } else { first }
}
