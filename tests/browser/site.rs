//! Where the chat is: its server, and what stands before it.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;

use rustix::process::Signal;
use tempfile::TempDir;

use super::devtools::{Browser, chromium_program};
use crate::examples::{compile, launch};
use crate::harness::{Need, Server, root, skipped};
use crate::proxies::{self, NGINX, Proxy, missing};

/// The road to the chat.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// By TCP to the server, which has the page too.
    Direct,
    /// To nginx, which has the page, and the server behind it on a UNIX socket.
    Nginx,
}

/// The server of c-examples/chat.c, and nginx where it stands before that.
pub(crate) struct Site {
    nginx: Option<Proxy>,
    server: Server,
    /// Where people come.
    address: SocketAddr,
    dir: TempDir,
}

impl Site {
    /// Starts all, and a browser. `None` where the test must be skipped, which is said.
    pub(crate) fn open(way: Way) -> Option<(Site, Browser)> {
        let browser = chromium_program();
        if skipped(&[Need::Has(browser.is_some(), "no Chromium is installed")])
            || way == Way::Nginx && missing(&NGINX)
        {
            return None;
        }
        let dir = tempfile::tempdir().expect("a temporary directory");
        // nginx's worker is not root, and passes through here.
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(dir.path(), mode).expect("its mode");
        compile(&root().join("c-examples/chat.c"), &dir.path().join("program"), &[]);
        let (server, nginx) = match way {
            Way::Direct => (on_tcp(&dir, 0), None),
            Way::Nginx => {
                let server = behind(&dir);
                let page = root().join("c-examples/chat/index.html");
                std::fs::copy(page, dir.path().join("index.html")).expect("a page");
                let pages = format!("root {};", dir.path().display());
                let nginx = Proxy::start_with(&NGINX, &server, &[("return 404;", &pages)]);
                (server, Some(nginx))
            }
        };
        let address = nginx.as_ref().map_or_else(|| server.tcp()[0], Proxy::address);
        Some((Site { nginx, server, address, dir }, Browser::start(&browser?)))
    }

    /// What people type into the browser.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Whether the page can be loaded while the server is down.
    pub(crate) fn has_page_without_server(&self) -> bool {
        self.nginx.is_some()
    }

    /// The server stops as its operator has it.
    pub(crate) fn stop(&mut self) {
        self.server.stop();
    }

    /// The server takes and reads nothing more, and does not say so.
    pub(crate) fn freeze(&self) {
        self.server.signal(Signal::STOP);
    }

    /// The server is gone at once.
    pub(crate) fn kill(&mut self) {
        self.server.signal(Signal::KILL);
        self.server.wait_signal();
        // Where there is root, another process removes the socket, and might find the next one there.
        self.server.await_nobody();
    }

    /// A new server stands where the old one stood.
    pub(crate) fn start_again(&mut self) {
        self.server = match self.nginx {
            Some(_) => behind(&self.dir),
            None => on_tcp(&self.dir, self.address.port()),
        };
    }
}

fn behind(dir: &TempDir) -> Server {
    let launch = launch(&dir.path().join("program")).socket(Some(dir.path().join("socket")));
    proxies::behind(launch).start()
}

/// On that port, or on a free one where it is 0.
fn on_tcp(dir: &TempDir, port: u16) -> Server {
    let pages = root().join("c-examples/chat").display().to_string();
    let launch = launch(&dir.path().join("program")).socket(None);
    launch.args(["-p", &port.to_string(), "-w", &pages]).start_tcp()
}
