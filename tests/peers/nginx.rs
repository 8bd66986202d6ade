//! nginx as people run it: TCP on one side, the UNIX socket of a server on the other.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use crate::harness::{LIMIT, Process, Server, say, until};

/// The configuration; the words in capitals are filled in. The kernel is to keep little for a
/// visitor who does not read, so that it is the server who has to.
const CONFIGURATION: &str = r#"
daemon off;
USER
pid DIR/pid;
error_log DIR/error.log info;
worker_processes 1;
events { worker_connections 1000; }
http {
    access_log off;
    client_body_temp_path DIR/body;
    proxy_temp_path DIR/proxy;
    fastcgi_temp_path DIR/fastcgi;
    uwsgi_temp_path DIR/uwsgi;
    scgi_temp_path DIR/scgi;
    map $http_upgrade $connection_upgrade { default upgrade; '' close; }
    server {
        listen 127.0.0.1:PORT sndbuf=64k;
        location = /who { return 200 "DIR"; }
        PAGE
        location / {
            proxy_pass http://unix:SOCKET;
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_set_header Host $host;
            proxy_read_timeout 10m;
            proxy_send_timeout 10m;
            send_timeout 10m;
        }
    }
}
"#;

/// A master process and its worker; they end when this is dropped.
pub(crate) struct Nginx {
    master: Child,
    address: SocketAddr,
    dir: TempDir,
}

impl Nginx {
    /// The program, also where the search path of an ordinary user does not lead to it.
    pub(crate) fn find() -> Option<PathBuf> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let more = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
        let mut programs = std::env::split_paths(&path).chain(more).map(|it| it.join("nginx"));
        programs.find(|it| it.is_file())
    }

    /// Starts the program before that server, and waits until it takes connections.
    pub(crate) fn start(program: &Path, server: &Server) -> Nginx {
        Nginx::start_with_page(program, server, None)
    }

    /// The same, and nginx itself gives this page to who asks for `/`.
    pub(crate) fn start_with_page(program: &Path, server: &Server, page: Option<&Path>) -> Nginx {
        // A port that is free may be taken by someone else meanwhile.
        let started = (0..5).find_map(|_| Nginx::try_start(program, server, page));
        started.expect("a port that stays free until nginx has it")
    }

    /// Where visitors connect.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    fn try_start(program: &Path, server: &Server, page: Option<&Path>) -> Option<Nginx> {
        let dir = tempfile::tempdir().expect("a temporary directory");
        // The worker is not root, and passes through here.
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(dir.path(), mode).expect("its mode");
        let address = free_address();
        let place = dir.path().display().to_string();
        if let Some(page) = page {
            std::fs::copy(page, dir.path().join("index.html")).expect("a page");
        }
        let configuration = CONFIGURATION
            .replace(
                "PAGE",
                page.map_or("", |_| "location = / { root DIR; try_files /index.html =404; }"),
            )
            .replace("USER", &user(server.socket()))
            .replace("PORT", &address.port().to_string())
            .replace("SOCKET", &server.socket().display().to_string())
            .replace("DIR", &place);
        let file = dir.path().join("nginx.conf");
        std::fs::write(&file, configuration).expect("a file");
        let stderr = std::fs::File::create(dir.path().join("stderr")).expect("a file");
        let master = Command::new(program)
            .args([Path::new("-p"), dir.path(), Path::new("-c"), &file])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .unwrap_or_else(|e| panic!("{}: {e}", program.display()));
        let mut nginx = Nginx { master, address, dir };
        let ready = until(|| match nginx.master.try_wait().expect("it is our child") {
            Some(_) => Some(false),
            None => (who(address)? == place).then_some(true),
        });
        match ready {
            Some(true) => Some(nginx),
            Some(false) if nginx.log().contains("Address already in use") => None,
            _ => panic!("nginx does not start:\n{}", nginx.log()),
        }
    }

    /// What it has said so far.
    fn log(&self) -> String {
        let read = |name| std::fs::read(self.dir.path().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&[read("stderr"), read("error.log")].concat()).into_owned()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        if std::thread::panicking() {
            say(&format!("nginx says:\n{}", self.log()));
        }
        let master = Process(Pid::from_child(&self.master));
        // The master ends its worker before itself, by force after a second; KILL would leave the worker behind.
        if let Ok(None) = self.master.try_wait() {
            master.signal(Signal::TERM);
        }
        if until(|| self.master.try_wait().ok().flatten()).is_none() {
            master.signal(Signal::KILL);
            // It was killed: there is nothing to learn.
            let _ = self.master.wait();
        }
    }
}

/// Only root may choose who the worker is: who owns the socket, which nobody else may connect to.
fn user(socket: &Path) -> String {
    if !rustix::process::geteuid().is_root() {
        return String::new();
    }
    let owner = socket.metadata().expect("the server's socket");
    let user = name("/etc/passwd", owner.uid());
    let group = name("/etc/group", owner.gid());
    format!("user {user} {group};")
}

/// The name of that number, in a file whose third field is the number.
fn name(file: &str, number: u32) -> String {
    let text = std::fs::read_to_string(file).expect("users and groups");
    let number = number.to_string();
    let line = text.lines().find(|line| line.split(':').nth(2) == Some(&number));
    let line = line.unwrap_or_else(|| panic!("no {number} in {file}"));
    line.split(':').next().unwrap_or_default().to_owned()
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its address")
}

/// Who answers there: the directory of a configuration.
fn who(address: SocketAddr) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(LIMIT)).ok()?;
    stream.write_all(b"GET /who HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer.split_once("\r\n\r\n")?.1.to_owned())
}
