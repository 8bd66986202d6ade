//! The pages of c-examples/rest.c and c-examples/auth.c, and pages of other origins, in a real browser.

use serde_json::json;

use crate::browser::{Browser, Tab, chromium_program};
use crate::harness::{Launch, Need, Server, root, skipped};

use super::{auth, rest, with_operands};

/// A browser; `None` where the test must be skipped.
fn browser() -> Option<Browser> {
    let chromium = chromium_program();
    if skipped(&[Need::Has(chromium.is_some(), "no Chromium is installed")]) {
        return None;
    }
    Some(Browser::start(&chromium?))
}

/// The server on a free port, with the page of that name.
fn with_page(launch: Launch, name: &str) -> Server {
    let pages = root().join("c-examples").join(name).display().to_string();
    launch.socket(None).args(["-p", "0", "-w", &pages]).start_tcp()
}

fn url(server: &Server) -> String {
    format!("http://{}", server.tcp()[0])
}

/// A page in a tab of its own.
fn visiting<'a>(browser: &'a Browser, server: &Server) -> Tab<'a> {
    let tab = Tab::open(browser, (800, 600), 1.0);
    tab.visit(&format!("{}/", url(server)));
    tab
}

fn says(tab: &Tab, text: &str) {
    tab.await_that(&format!("document.querySelector('#state').textContent === {}", json!(text)));
}

/// What one page posts by fetch() all pages hear by WebSocket, and show as text.
#[test]
fn messages() {
    let Some(browser) = browser() else { return };
    let mut server = with_page(with_operands(&rest::program(), &[]), "rest");
    let ann = visiting(&browser, &server);
    says(&ann, "Connected: 1 here");
    let bob = visiting(&browser, &server);
    says(&bob, "Connected: 2 here");
    let html = "<img src=x onerror=alert(1)> \u{1f42d}";
    for text in ["hello", html] {
        ann.await_that("document.activeElement.id === 'text'");
        ann.write(text);
        ann.press("Enter");
        ann.await_that("document.getElementById('text').value === ''");
    }
    for tab in [&ann, &bob] {
        let log = "JSON.stringify([...log.children].map((it) => it.textContent))";
        tab.await_that(&format!("{log} === JSON.stringify({})", json!([html, "hello"])));
    }
    assert_eq!(browser.complaints(), [""; 0]);
    server.stop();
}

/// Fetch 3.2, 4.8: a page of an origin that was named posts JSON, for which the browser asks before whether it may, and
/// reads the answer; one of another origin does not.
#[test]
fn pages_of_other_origins() {
    let Some(browser) = browser() else { return };
    let mut home = with_page(with_operands(&rest::program(), &[]), "rest");
    let mut stranger = with_page(with_operands(&rest::program(), &[]), "rest");
    let other = with_operands(&rest::program(), &[&url(&home)]).socket(None).args(["-p", "0"]);
    let mut other = other.start_tcp();
    let there = url(&other);
    // Its page's policy has it ask for nothing elsewhere; this one's is none.
    let blank = |server: &Server| {
        let tab = Tab::open(&browser, (800, 600), 1.0);
        tab.visit(&format!("{}/health", url(server)));
        tab
    };
    let page = blank(&home);
    let socket = there.replace("http", "ws");
    page.ask(&format!(
        "new Promise((done) => {{ globalThis.socket = new WebSocket('{socket}'); socket.onopen = () => done(1); \
         socket.onmessage = (event) => {{ globalThis.heard = event.data; }}; }})"
    ));
    let post = format!(
        "fetch('{there}/messages', {{ method: 'POST', headers: {{ 'Content-Type': 'application/json' }}, \
         body: '{{\"text\":\"hello\"}}' }}).then((it) => it.json(), () => 'refused')"
    );
    assert_eq!(page.ask(&post), json!({ "clients": 1 }));
    page.await_that("globalThis.heard === '{\"text\":\"hello\"}'");

    let stranger_page = blank(&stranger);
    assert_eq!(stranger_page.ask(&post), "refused");
    // A request that needs no permission is made, and does nothing.
    let simple = format!(
        "fetch('{there}/messages', {{ method: 'POST', mode: 'no-cors', body: 'x' }}).then(() => 'made')"
    );
    assert_eq!(stranger_page.ask(&simple), "made");
    assert_eq!(page.ask(&post), json!({ "clients": 1 }));
    assert_eq!(page.ask("globalThis.heard"), "{\"text\":\"hello\"}");
    for server in [&mut home, &mut stranger, &mut other] {
        server.stop();
    }
}

/// Somebody logs in with a wrong token and with the right one, is still logged in when the page is loaded anew, and logs
/// out. No script can read the cookie.
#[test]
fn a_login() {
    let Some(browser) = browser() else { return };
    let mut server = with_page(auth::knowing(&format!("ann {}\n", auth::TOKEN)), "auth");
    let tab = visiting(&browser, &server);
    says(&tab, "You are not logged in");
    tab.await_that("document.activeElement.id === 'token'");
    tab.write("wrong");
    tab.press("Enter");
    says(&tab, "That is no token");
    tab.ask("token.value = ''");
    tab.write(auth::TOKEN);
    tab.press("Enter");
    says(&tab, "welcome ann");
    assert_eq!(tab.ask("document.cookie"), "");
    tab.reload();
    says(&tab, "welcome ann");
    tab.ask("logout.click()");
    says(&tab, "You are not logged in");
    tab.reload();
    says(&tab, "You are not logged in");
    server.stop();
}
