//! Somebody in the chat, by the keyboard alone.

use serde_json::{Value, json};

use super::devtools::Browser;
use super::tab::Tab;

/// The texts in the log, each with who said it, as they are seen.
const LOG: &str = "[...document.querySelectorAll('.message')].map((message) => \
    [message.querySelector('b').textContent, message.querySelector('.text').textContent])";

/// The notes in the log, without the days.
const NOTES: &str =
    "[...document.querySelectorAll('.note:not(.day)')].map((note) => note.textContent)";

const NAMES: &str = "[...document.querySelectorAll('#names li')].map((item) => \
    item.childNodes[1].textContent)";

/// A person whose name is known to the room.
pub(crate) struct Person<'a> {
    pub(crate) tab: Tab<'a>,
}

impl<'a> Person<'a> {
    /// Comes to that address, is asked for a name, and is in the room.
    pub(crate) fn comes(browser: &'a Browser, url: &str, name: &str) -> Person<'a> {
        let person = Person { tab: Tab::open(browser, (1000, 700), 1.0) };
        person.tab.visit(url);
        person.is_called(name);
        person
    }

    /// Answers the question that stands on the page.
    pub(crate) fn is_called(&self, name: &str) {
        self.tab.await_that("document.activeElement.id === 'name'");
        self.tab.write(name);
        self.tab.press("Enter");
        self.is_connected();
    }

    pub(crate) fn is_connected(&self) {
        self.tab.await_that("document.body.dataset.state === 'open'");
    }

    pub(crate) fn is_disconnected(&self) {
        self.tab.await_that("document.body.dataset.state !== 'open'");
    }

    /// Types, and sends it.
    pub(crate) fn says(&self, text: &str) {
        self.types(text);
        self.tab.press("Enter");
        self.tab.await_that("document.getElementById('text').value === ''");
    }

    /// Types, and leaves it at that.
    pub(crate) fn types(&self, text: &str) {
        self.tab.await_that("document.activeElement.id === 'text'");
        self.tab.write(text);
        let typed = format!("document.getElementById('text').value.endsWith({})", json!(text));
        self.tab.await_that(&typed);
    }

    /// Waits until that is all that was said: who said it, and what.
    pub(crate) fn hears(&self, all: &[(&str, &str)]) {
        self.sees(LOG, &json!(all));
        self.tab.await_that("!document.querySelector('.waiting')");
    }

    /// Waits until this stands in the log, not sent yet.
    pub(crate) fn waits_with(&self, text: &str) {
        let waiting =
            "[...document.querySelectorAll('.waiting .text')].map((it) => it.textContent)";
        self.sees(waiting, &json!([text]));
    }

    /// Waits until the page says that these are here.
    pub(crate) fn is_among(&self, names: &[&str]) {
        self.sees(NAMES, &json!(names));
    }

    /// Waits until these have come and gone.
    pub(crate) fn notices(&self, notes: &[&str]) {
        self.sees(NOTES, &json!(notes));
    }

    fn sees(&self, what: &str, wanted: &Value) {
        self.tab.await_that(&format!("JSON.stringify({what}) === JSON.stringify({wanted})"));
    }
}
