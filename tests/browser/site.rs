//! Where the chat is: its server, and what stands before it.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use rustix::process::Signal;

use super::devtools::Browser;
use crate::examples::{compile, launch};
use crate::harness::{Need, Server, root, skipped};
use crate::peers::nginx::Nginx;

/// The server of c-examples/chat.c, behind nginx, which has the page.
pub(crate) struct Site {
    nginx: Nginx,
    server: Server,
    dir: tempfile::TempDir,
}

impl Site {
    /// Starts all, and a browser. `None` where the test must be skipped, which is said.
    pub(crate) fn open() -> Option<(Site, Browser)> {
        let (browser, nginx) = (Browser::find(), Nginx::find());
        if skipped(&[
            Need::Has(browser.is_some(), "no Chromium is installed"),
            Need::Has(nginx.is_some(), "nginx is not installed"),
        ]) {
            return None;
        }
        let dir = tempfile::tempdir().expect("a temporary directory");
        // nginx's worker is not root, and passes through here.
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(dir.path(), mode).expect("its mode");
        compile(&root().join("c-examples/chat.c"), &dir.path().join("program"), &[]);
        let server = start(&dir);
        let page = root().join("c-examples/chat/index.html");
        let nginx = Nginx::start_with_page(&nginx?, &server, Some(&page));
        Some((Site { nginx, server, dir }, Browser::start(&browser?)))
    }

    /// What people type into the browser.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.nginx.address())
    }

    /// Whether the page can be loaded while the server is down.
    pub(crate) fn has_page_without_server(&self) -> bool {
        true
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
    }

    /// A new server stands where the old one stood.
    pub(crate) fn start_again(&mut self) {
        self.server = start(&self.dir);
    }
}

fn start(dir: &tempfile::TempDir) -> Server {
    let socket: PathBuf = dir.path().join("socket");
    launch(&dir.path().join("program")).socket(Some(socket)).start()
}
