//! The servers: how each is built, started and stopped.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::client::{Address, PATIENCE};
use crate::columns::Mode;
use crate::machine::{self, Cores};

/// Who are measured where no one is named.
pub const NAMES: [&str; 7] =
    ["limit", "dorrit", "uws", "libwebsockets", "fastwebsockets", "tokio-tungstenite", "ws"];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Limit,
    Dorrit,
    Uws,
    Libwebsockets,
    Fastwebsockets,
    Tungstenite,
    Ws,
}

/// One that is built and can be started.
pub struct Server {
    pub name: String,
    /// What it is, with its version.
    pub title: String,
    kind: Kind,
    /// The directory of its programs.
    place: PathBuf,
    node: String,
}

/// The directories of this build.
pub struct Places {
    /// bench/
    pub bench: PathBuf,
    /// bench/target
    pub target: PathBuf,
    /// Sockets, whose names must be short.
    pub run: PathBuf,
}

impl Places {
    pub fn find() -> io::Result<Self> {
        // bench/target/release/dorrit-bench
        let program = std::env::current_exe()?;
        let target = program.ancestors().nth(2).ok_or(io::ErrorKind::NotFound)?.to_owned();
        let bench = target.parent().ok_or(io::ErrorKind::NotFound)?.to_owned();
        let run = std::env::temp_dir().join(format!("dorrit-bench-{}", std::process::id()));
        fs::create_dir_all(&run)?;
        Ok(Self { bench, target, run })
    }
}

/// Builds a server: its name, or NAME=LIBRARY for one of ours with another libdorrit.so.
pub fn prepare(name: &str, places: &Places, builds: bool) -> Result<Server, String> {
    let (name, library) = match name.split_once('=') {
        Some((name, library)) => (name, Some(Path::new(library))),
        None => (name, None),
    };
    let place = places.target.join("servers").join(name);
    fs::create_dir_all(&place).map_err(|error| error.to_string())?;
    let mut server = Server {
        name: name.to_owned(),
        title: String::new(),
        kind: Kind::Limit,
        place,
        node: "node".into(),
    };
    match name {
        _ if library.is_some() => dorrit(&mut server, places, library, builds)?,
        "dorrit" => dorrit(&mut server, places, None, builds)?,
        "limit" => limit(&mut server, places)?,
        "uws" => uws(&mut server, places)?,
        "libwebsockets" | "lws" => libwebsockets(&mut server, places)?,
        "fastwebsockets" => rust_peer(&mut server, places, Kind::Fastwebsockets)?,
        "tokio-tungstenite" | "tungstenite" => rust_peer(&mut server, places, Kind::Tungstenite)?,
        "ws" | "node" => ws(&mut server, places)?,
        _ => return Err(format!("unknown; known are {}", NAMES.join(", "))),
    }
    Ok(server)
}

/// Runs a command; where it fails, the first line that names an error, or the last one at all.
fn succeed(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output =
        command.stdin(Stdio::null()).output().map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = said
        .lines()
        .find(|line| line.contains("error") || line.contains("undefined reference"))
        .or(said.lines().last())
        .unwrap_or("it failed");
    // Where a file lies on this machine says nothing to the reader.
    let line = line.rsplit('/').next().unwrap_or(line);
    Err(format!("{program}: {}", line.trim()))
}

fn is_newer(file: &Path, sources: &[&Path]) -> bool {
    let time = |path: &Path| fs::metadata(path).and_then(|meta| meta.modified()).ok();
    time(file).is_some_and(|made| {
        sources.iter().all(|source| time(source).is_some_and(|then| then <= made))
    })
}

fn limit(server: &mut Server, places: &Places) -> Result<(), String> {
    let (source, program) = (places.bench.join("servers/limit.c"), server.place.join("limit"));
    if !is_newer(&program, &[&source]) {
        succeed(Command::new("cc").args(["-O2", "-o"]).arg(&program).arg(&source))?;
    }
    server.title = "the limit: a bare epoll loop".into();
    Ok(())
}

/// As a user would: `cc -O2 echo.c -ldorrit`.
fn dorrit(
    server: &mut Server,
    places: &Places,
    library: Option<&Path>,
    builds: bool,
) -> Result<(), String> {
    let root = places.bench.parent().ok_or("no directory above bench")?;
    if library.is_none() && builds {
        let manifest = root.join("Cargo.toml");
        let args = ["build", "--release", "--quiet", "--package", "dorrit", "--manifest-path"];
        succeed(Command::new("cargo").args(args).arg(manifest))?;
    }
    let built = root.join("target/release/libdorrit.so");
    let library = library.unwrap_or(&built);
    // A copy: what is built meanwhile does not change a run.
    let copy = server.place.join("libdorrit.so");
    let link = server.place.join("libdorrit.so.3");
    for file in [&copy, &link] {
        let _ = fs::remove_file(file);
    }
    fs::copy(library, &copy).map_err(|error| format!("libdorrit.so: {error}"))?;
    std::os::unix::fs::symlink("libdorrit.so", &link).map_err(|error| error.to_string())?;
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap_or_default();
    let version = manifest.lines().find_map(|line| line.strip_prefix("version = "));
    server.kind = Kind::Dorrit;
    server.title = format!("libdorrit {}", version.unwrap_or("").trim_matches('"'));
    let mut failure = Ok(());
    let programs =
        [("echo", true), ("broadcast", true), ("full", false), ("work", true), ("queue", false)];
    for (program, is_needed) in programs {
        let source = places.bench.join("servers").join(program).with_extension("c");
        let result = succeed(
            Command::new("cc")
                .arg("-O2")
                .arg("-o")
                .arg(server.place.join(program))
                .arg(source)
                .arg("-I")
                .arg(root.join("include"))
                .arg("-L")
                .arg(&server.place)
                .arg("-ldorrit"),
        );
        if result.is_err() {
            let _ = fs::remove_file(server.place.join(program));
            if is_needed {
                failure = result.map(drop);
            }
        }
    }
    failure
}

/// Compiled from the sources that the crate carries, with uSockets' epoll and without TLS: the crate's own
/// build takes libuv and OpenSSL, which are slower.
fn uws(server: &mut Server, places: &Places) -> Result<(), String> {
    let program = server.place.join("uws");
    let source = places.bench.join("servers/uws.cpp");
    let (root, version) = crate_sources(places, "libuwebsockets-sys")?;
    server.kind = Kind::Uws;
    server.title = format!("uWebSockets (crate libuwebsockets-sys {version})");
    if is_newer(&program, &[&source]) {
        return Ok(());
    }
    let root = root.join("uWebSockets");
    let sockets = root.join("uSockets/src");
    let mut objects = Vec::new();
    for file in ["bsd.c", "context.c", "loop.c", "socket.c", "udp.c", "eventing/epoll_kqueue.c"] {
        let object = server.place.join(file.replace('/', "_")).with_extension("o");
        succeed(
            Command::new("cc")
                .args(["-O3", "-flto=auto", "-DLIBUS_NO_SSL", "-std=gnu11", "-c", "-I"])
                .arg(&sockets)
                .arg(sockets.join(file))
                .arg("-o")
                .arg(&object),
        )?;
        objects.push(object);
    }
    succeed(
        Command::new("c++")
            .args(["-O3", "-flto=auto", "-DLIBUS_NO_SSL", "-std=c++20", "-I"])
            .arg(&sockets)
            .arg("-I")
            .arg(root.join("src"))
            .arg(source)
            .args(objects)
            .args(["-lz", "-o"])
            .arg(&program),
    )
    .map(drop)
}

/// Where cargo keeps the sources of an optional crate, which is thereby fetched and not built.
fn crate_sources(places: &Places, name: &str) -> Result<(PathBuf, String), String> {
    let metadata = succeed(
        Command::new("cargo")
            .args(["metadata", "--format-version", "1", "--locked", "--features", "uws"])
            .arg("--manifest-path")
            .arg(places.bench.join("Cargo.toml")),
    )?;
    let metadata: serde_json::Value =
        serde_json::from_str(&metadata).map_err(|error| error.to_string())?;
    let packages = metadata["packages"].as_array().ok_or("cargo metadata: no packages")?;
    let package = packages
        .iter()
        .find(|package| package["name"] == name)
        .ok_or_else(|| format!("{name}: not in Cargo.lock"))?;
    let manifest = package["manifest_path"].as_str().unwrap_or_default();
    let root = Path::new(manifest).parent().ok_or("no directory")?.to_owned();
    Ok((root, package["version"].as_str().unwrap_or_default().to_owned()))
}

fn libwebsockets(server: &mut Server, places: &Places) -> Result<(), String> {
    let version = succeed(Command::new("pkg-config").args(["--modversion", "libwebsockets"]))
        .map_err(|_| "not installed (Debian: libwebsockets-dev)".to_owned())?;
    server.kind = Kind::Libwebsockets;
    server.title = format!("libwebsockets {}", version.trim().trim_end_matches('-'));
    let (source, program) =
        (places.bench.join("servers/libwebsockets.c"), server.place.join("libwebsockets"));
    if is_newer(&program, &[&source]) {
        return Ok(());
    }
    let flags = succeed(Command::new("pkg-config").args(["--cflags", "--libs", "libwebsockets"]))?;
    succeed(
        Command::new("cc")
            .args(["-O2", "-o"])
            .arg(&program)
            .arg(&source)
            .args(flags.split_whitespace()),
    )
    .map(drop)
}

fn rust_peer(server: &mut Server, places: &Places, kind: Kind) -> Result<(), String> {
    let (package, of) = match kind {
        Kind::Fastwebsockets => ("peer-fastwebsockets", "fastwebsockets"),
        _ => ("peer-tungstenite", "tokio-tungstenite"),
    };
    succeed(
        Command::new("cargo")
            .args(["build", "--release", "--quiet", "--locked", "--package", package])
            .arg("--manifest-path")
            .arg(places.bench.join("Cargo.toml")),
    )?;
    let lock = fs::read_to_string(places.bench.join("Cargo.lock")).unwrap_or_default();
    let version = lock
        .split_once(&format!("name = \"{of}\"\nversion = \""))
        .and_then(|(_, rest)| rest.split('"').next())
        .unwrap_or_default();
    server.kind = kind;
    server.title = format!("{of} {version}");
    server.place = places.target.join("release");
    Ok(())
}

fn ws(server: &mut Server, places: &Places) -> Result<(), String> {
    let peer = places.bench.join("servers/ws");
    for file in ["package.json", "ws.mjs"] {
        fs::copy(peer.join(file), server.place.join(file)).map_err(|error| error.to_string())?;
    }
    server.node = which_node()?;
    let installed = server.place.join("node_modules/ws/package.json");
    if !installed.exists() {
        let args = ["install", "--silent", "--no-package-lock", "--no-audit", "--no-fund"];
        succeed(Command::new("npm").args(args).current_dir(&server.place))?;
    }
    let package = fs::read_to_string(installed).map_err(|error| error.to_string())?;
    let package: serde_json::Value =
        serde_json::from_str(&package).map_err(|error| error.to_string())?;
    let node = succeed(Command::new(&server.node).arg("--version"))?;
    let version = package["version"].as_str().unwrap_or_default();
    server.kind = Kind::Ws;
    server.title = format!("ws {version} on Node {}", node.trim().trim_start_matches('v'));
    Ok(())
}

fn which_node() -> Result<String, String> {
    ["node", "nodejs"]
        .into_iter()
        .find(|node| succeed(Command::new(node).arg("--version")).is_ok())
        .map(str::to_owned)
        .ok_or_else(|| "node is not installed (Debian: nodejs npm)".into())
}

impl Server {
    /// Whether the limit's language is spoken to it.
    pub fn is_limit(&self) -> bool {
        self.kind == Kind::Limit
    }

    pub fn is_uws(&self) -> bool {
        self.kind == Kind::Uws
    }

    pub fn is_ours(&self) -> bool {
        self.kind == Kind::Dorrit
    }

    /// One of the others.
    pub fn is_peer(&self) -> bool {
        !matches!(self.kind, Kind::Limit | Kind::Dorrit | Kind::Uws)
    }

    /// Why it takes no part in a column, where it does not.
    pub fn lacks(&self, mode: Mode, speaks_handshake: bool) -> Option<&'static str> {
        match (self.kind, mode) {
            (Kind::Limit, Mode::Compress) => Some("knows no protocol"),
            (Kind::Limit, _) if speaks_handshake => Some("knows no protocol"),
            (Kind::Dorrit, Mode::Large | Mode::Compress) if !self.place.join("full").exists() => {
                Some("this libdorrit has no ws_send")
            }
            (Kind::Dorrit, Mode::Queue) if !self.place.join("queue").exists() => {
                Some("this libdorrit has no ws_set_queue_limit")
            }
            (Kind::Dorrit, Mode::Work | Mode::Queue) | (Kind::Uws, Mode::Work) => None,
            (_, Mode::Work | Mode::Queue) => Some("is not written for it"),
            (Kind::Tungstenite | Kind::Fastwebsockets, Mode::Compress) => {
                Some("has no compression")
            }
            _ => None,
        }
    }

    fn command(&self, mode: Mode, address: &Address) -> Command {
        let program = |name: &str| Command::new(self.place.join(name));
        let mut command = match self.kind {
            Kind::Dorrit => {
                let mut command = program(match mode {
                    Mode::Echo => "echo",
                    Mode::Broadcast => "broadcast",
                    Mode::Large | Mode::Compress => "full",
                    Mode::Work => "work",
                    Mode::Queue => "queue",
                });
                command.env("LD_LIBRARY_PATH", &self.place).args(["-x", "-m", "20000"]);
                match mode {
                    Mode::Large => command.arg("--max-message=16777216"),
                    Mode::Compress => command.arg("--compress=6"),
                    _ => &mut command,
                };
                match address {
                    Address::Unix(path) => command.arg("-l").arg(path),
                    Address::Tcp(port) => command.arg("-p").arg(port.to_string()),
                };
                return command;
            }
            Kind::Limit => program("limit"),
            Kind::Uws => program("uws"),
            Kind::Libwebsockets => program("libwebsockets"),
            Kind::Fastwebsockets => program("peer-fastwebsockets"),
            Kind::Tungstenite => program("peer-tungstenite"),
            Kind::Ws => {
                let mut command = Command::new(&self.node);
                command.arg(self.place.join("ws.mjs"));
                command
            }
        };
        // The limit does not look at what it sends back.
        let mode = match (self.kind, mode) {
            (Kind::Limit, Mode::Large) => Mode::Echo,
            _ => mode,
        };
        command.arg(mode.name()).arg(address.to_string());
        command
    }

    /// Starts it on its core, and waits until it takes connections.
    pub fn start(&self, mode: Mode, address: Address, cores: Cores) -> io::Result<Running> {
        if let Address::Unix(path) = &address {
            let _ = fs::remove_file(path);
        }
        let errors = self.place.join(format!("{}.stderr", self.name));
        machine::stay_on(cores.server)?;
        let child = self
            .command(mode, &address)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&errors)?)
            .spawn();
        machine::stay_on(cores.client)?;
        let mut running = Running { child: child?, address, errors };
        let end = Instant::now() + PATIENCE;
        while !running.takes_connections() {
            if let Some(reason) = running.ended() {
                return Err(io::Error::other(reason));
            }
            if Instant::now() > end {
                return Err(io::Error::other("it does not listen"));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(running)
    }
}

/// A server that runs, until this is dropped.
pub struct Running {
    child: Child,
    pub address: Address,
    errors: PathBuf,
}

impl Running {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn takes_connections(&self) -> bool {
        match &self.address {
            Address::Unix(path) => UnixStream::connect(path).is_ok(),
            Address::Tcp(port) => TcpStream::connect(("127.0.0.1", *port)).is_ok(),
        }
    }

    /// How it has ended, where it has.
    pub fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok()??;
        let said = fs::read_to_string(&self.errors).unwrap_or_default();
        let last = said.lines().next().unwrap_or_default().to_owned();
        Some(if last.is_empty() { status.to_string() } else { last })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM);
        let end = Instant::now() + Duration::from_millis(500);
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > end {
                let _ = self.child.kill();
                let _ = self.child.wait();
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        if let Address::Unix(path) = &self.address {
            let _ = fs::remove_file(path);
        }
    }
}

/// The names as they are given on the command line.
pub fn names(list: &OsStr) -> Vec<String> {
    list.to_string_lossy().split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}
