//! A tab: a page, and the person who sits before it.

use serde_json::{Value, json};

use super::devtools::Browser;
use crate::harness::until;

/// One page of a browser, with cookies and a storage of its own.
pub(crate) struct Tab<'a> {
    browser: &'a Browser,
    session: String,
}

impl<'a> Tab<'a> {
    /// An empty page of that size in CSS pixels, with `scale` pixels of the picture to each of them.
    pub(crate) fn open(browser: &'a Browser, (width, height): (u32, u32), scale: f64) -> Tab<'a> {
        let call = |method, parameters| browser.call("", method, parameters);
        let word =
            |value: &Value| value.as_str().expect("DevTools answers by the protocol").to_owned();
        let context = call("Target.createBrowserContext", json!({}));
        let context = &context["browserContextId"];
        let page = json!({ "url": "about:blank", "browserContextId": context, "newWindow": true });
        let target = word(&call("Target.createTarget", page)["targetId"]);
        let attach = json!({ "targetId": target, "flatten": true });
        let session = word(&call("Target.attachToTarget", attach)["sessionId"]);
        let tab = Tab { browser, session };
        for domain in ["Runtime.enable", "Log.enable", "Page.enable"] {
            tab.call(domain, json!({}));
        }
        // Each tab is the one before which somebody sits.
        tab.call("Emulation.setFocusEmulationEnabled", json!({ "enabled": true }));
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": scale, "mobile": width < 500
        });
        tab.call("Emulation.setDeviceMetricsOverride", metrics);
        tab
    }

    /// As the system of the person asks for it: "light" or "dark".
    pub(crate) fn prefer(&self, scheme: &str) {
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        self.call("Emulation.setEmulatedMedia", json!({ "features": [feature] }));
    }

    /// Of a person who reads times and dates as there: "en-GB".
    pub(crate) fn live_in(&self, locale: &str) {
        self.call("Emulation.setLocaleOverride", json!({ "locale": locale }));
    }

    /// Goes to an address, and waits until the page is there.
    pub(crate) fn visit(&self, url: &str) {
        let went = self.call("Page.navigate", json!({ "url": url }));
        assert!(went.get("errorText").is_none(), "{url}: {went}");
        self.await_that("document.readyState === 'complete' && location.href !== 'about:blank'");
    }

    /// Loads the page again.
    pub(crate) fn reload(&self) {
        self.ask("globalThis.isOld = true");
        self.call("Page.reload", json!({}));
        self.await_that("!globalThis.isOld && document.readyState === 'complete'");
    }

    /// What an expression is in the page.
    pub(crate) fn ask(&self, expression: &str) -> Value {
        let question =
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.call("Runtime.evaluate", question);
        assert!(answer.get("exceptionDetails").is_none(), "{expression:.200}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until an expression is true in the page.
    pub(crate) fn await_that(&self, expression: &str) {
        // A page that is being left answers with an error: the next one is asked again.
        let question = json!({ "expression": expression, "returnByValue": true });
        let is_so = || self.call("Runtime.evaluate", question.clone())["result"]["value"] == true;
        let came = until(|| is_so().then_some(()));
        assert!(came.is_some(), "not so: {expression:.300}\nin a page with: {}", self.dump());
    }

    /// Types a text, all at once.
    pub(crate) fn write(&self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// Presses a key: "Enter", "Tab", "Escape", " ", or "Shift+" and such a one.
    pub(crate) fn press(&self, key: &str) {
        let (modifiers, key) = key.strip_prefix("Shift+").map_or((0, key), |key| (8, key));
        let (code, number, text) = match key {
            "Enter" => ("Enter", 13, "\r"),
            "Tab" => ("Tab", 9, ""),
            "Escape" => ("Escape", 27, ""),
            " " => ("Space", 32, " "),
            _ => panic!("no such key here: {key}"),
        };
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({
                "type": kind, "key": key, "code": code, "modifiers": modifiers,
                "windowsVirtualKeyCode": number,
            });
            if kind == "keyDown" && !text.is_empty() {
                event["text"] = text.into();
            }
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// The page's process dies, without a word to anybody.
    pub(crate) fn kill(self) {
        self.browser.tell(&self.session, "Page.crash");
    }

    /// A picture of what is seen: a PNG, in base64.
    pub(crate) fn picture(&self) -> String {
        let picture = self.call("Page.captureScreenshot", json!({ "format": "png" }));
        picture["data"].as_str().expect("a picture").to_owned()
    }

    fn call(&self, method: &str, parameters: Value) -> Value {
        self.browser.call(&self.session, method, parameters)
    }

    fn dump(&self) -> String {
        let text = self.ask("document.body.dataset.state + ': ' + document.body.innerText");
        text.as_str().unwrap_or_default().chars().take(3000).collect()
    }
}
