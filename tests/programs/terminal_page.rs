//! c-examples/terminal/index.html, by somebody who types commands in a real browser.

use serde_json::json;

use crate::browser::{Browser, Tab, chromium_program};
use crate::harness::{Need, root, skipped};

use super::terminal::program;
use super::with_operands;

/// The lines on the screen without what is empty.
const LINES: &str = "[...document.querySelectorAll('#screen div')].map((line) => \
    line.textContent.trimEnd()).filter((line) => line)";

/// Types a command, and waits until these are the lines behind it but for the next prompt.
fn asks(tab: &Tab, command: &str, answer: &[&str]) {
    tab.await_that("document.activeElement.id === 'keys'");
    tab.await_that(&format!("{LINES}.at(-1) === '>'"));
    tab.write(command);
    tab.press("Enter");
    let count = answer.len() + 2;
    let typed = format!("> {command}");
    let prompted = [&[&*typed], answer, &[">"]].concat();
    let last = format!("JSON.stringify({LINES}.slice(-{count}))");
    tab.await_that(&format!("{last} === JSON.stringify({})", json!(prompted)));
}

#[test]
fn in_a_browser() {
    let chromium = chromium_program();
    if skipped(&[Need::Has(chromium.is_some(), "no Chromium is installed")]) {
        return;
    }
    let pages = root().join("c-examples/terminal").display().to_string();
    let launch = with_operands(&program(), &["sh"]).socket(None).env("PS1", "> ").env("ENV", "");
    let mut server = launch.args(["-p", "0", "--origin", "same", "-w", &pages]).start_tcp();
    let browser = Browser::start(&chromium.expect("it is installed"));
    let tab = Tab::open(&browser, (800, 600), 1.0);
    tab.visit(&format!("http://{}/", server.tcp()[0]));
    tab.await_that("document.body.dataset.state === 'open'");

    asks(&tab, "echo $((6 * 7))", &["42"]);
    asks(
        &tab,
        "echo '<b>&amp;</b> \u{e9}\u{20ac}\u{1f42d}'",
        &["<b>&amp;</b> \u{e9}\u{20ac}\u{1f42d}"],
    );
    // Tabs, backspaces, returns; what erases and moves; colors and titles, which are left out.
    asks(
        &tab,
        r"printf 'ab\bc\tX\nlong\rs\033[K\n12345\033[3D\033[PZ\n'",
        &["ac      X", "s", "12Z5"],
    );
    asks(&tab, r"printf '\033[1;31mred\033[0m\033]0;title\007\033(B!\033[?25h\n'", &["red!"]);
    // A character and a sequence in two pieces.
    for piece in ["0xc3", "0xa9, 27, 91, 51", "49, 109, 33"] {
        tab.ask(&format!("socket.onmessage({{ data: new Uint8Array([{piece}]) }})"));
    }
    tab.await_that(&format!("{LINES}.at(-1) === '> \u{e9}!'"));
    tab.press("Enter");
    let size = tab.ask("`${Math.floor((screen.clientHeight - 16) / cell.getBoundingClientRect().height)} ${columns}`");
    asks(&tab, "stty size", &[size.as_str().expect("two numbers")]);
    // A line that is longer than the window goes on in the next one.
    let columns = tab.ask("columns").as_u64().expect("a number") as usize;
    let rest = "x".repeat(10);
    asks(
        &tab,
        &format!("printf '%0{}d\\n' 0", columns + 10),
        &[&"0".repeat(columns), &rest.replace('x', "0")],
    );
    // What is pasted goes in pieces.
    tab.write(&format!("echo {} | wc -c", "y".repeat(3000)));
    tab.press("Enter");
    tab.await_that(&format!("{LINES}.includes('3001')"));

    tab.write("exit");
    tab.press("Enter");
    tab.await_that("document.body.dataset.state === 'closed'");
    tab.await_that(&format!("{LINES}.at(-1) === '[ended: Enter begins anew]'"));
    tab.press("Enter");
    tab.await_that("document.body.dataset.state === 'open'");
    asks(&tab, "echo again", &["again"]);
    assert_eq!(browser.complaints(), [""; 0]);
    server.stop();
}

/// A page of another site is refused.
#[test]
fn from_another_site() {
    let mut server = with_operands(&program(), &["sh"]).start();
    let mut client = server.raw();
    let request = crate::harness::Request::new().with("Origin", "http://rebound.example:8080");
    client.send_bytes(&request.change("Host", "rebound.example:8080").bytes());
    assert_eq!(client.response().status, "HTTP/1.1 403 Forbidden");
    assert_eq!(server.process().children(), []);
    server.stop();
}
