//! No lack of memory ends the server (CONTRACT S14): allocations are made to fail one by one, some in a row,
//! and for a while, by tests/c/faults.c. The server is tests/c/scarce.c.

mod clients;
mod inflating;
mod shedding;
mod starts;

use std::collections::BTreeSet;

use crate::harness::{Client, Faults, Launch, Request, Server, Variant, until};

/// The server with all that it can do, and a page.
fn launch() -> (Launch, Faults) {
    let launch = Launch::of("scarce.c", Variant::Default);
    let pages = launch.run_dir().join("pages");
    std::fs::create_dir_all(pages.join("below")).expect("a directory");
    std::fs::write(pages.join("index.html"), "a page").expect("a file");
    let pages = pages.display().to_string();
    let options = ["-w", &pages, "--compress", "--max-message", "1000000", "-m", "4"];
    Faults::of(launch.args(options).args(["--log-level", "debug"]))
}

/// Stops the server: it must not have noticed that anything was wrong, and each connection that was
/// accepted must have been told its end once (CONTRACT S5).
fn stop(server: &mut Server) {
    server.stop();
    check_ends(server);
}

fn check_ends(server: &Server) {
    let journal = server.journal();
    let numbers = |word: &str| -> BTreeSet<String> {
        journal.lines().filter_map(|line| line.strip_prefix(word)).map(str::to_owned).collect()
    };
    assert_eq!(numbers("open "), numbers("close "), "{journal}");
}

/// A client that was there before, and loses nothing.
struct Bystander(Client);

impl Bystander {
    fn of(server: &Server) -> Bystander {
        // Those that have gone may still count under -m.
        let client = until(|| {
            let mut client = server.raw();
            client.send_bytes(&Request::new().bytes());
            client.response().status.contains("101").then_some(client)
        });
        let mut bystander = Bystander(client.expect("there is room"));
        bystander.0.expect_text("hello");
        bystander.echo();
        bystander
    }

    /// All that it sends comes back, whatever came for it from others meanwhile.
    fn echo(&mut self) {
        self.0.text("is anybody there?");
        loop {
            let frame = self.0.receive();
            match frame.as_text() {
                "is anybody there?" => return,
                text => assert_eq!(text, "p".repeat(3000), "what it was not sent"),
            }
        }
    }
}
