//! What people do in the chat.

use super::person::Person;
use super::site::{Site, Way};
use super::tab::Tab;

/// As many characters as a message may have, each of one to four bytes, some of several code points.
/// Lines are few: to have them typed, Chromium takes its time for each.
fn longest() -> String {
    let words = "Gr\u{fc}\u{df}e \u{1f42d}, \u{20ac} \u{1f469}\u{200d}\u{1f52c}! ".chars().cycle();
    let ends_line = |index| index % 1000 == 999;
    words.take(65535).enumerate().map(|(i, it)| if ends_line(i) { '\n' } else { it }).collect()
}

/// Two people talk, see each other come, and one of them is torn away.
fn people_talk(way: Way) {
    let Some((site, browser)) = Site::open(way) else {
        return;
    };
    let ann = Person::comes(&browser, &site.url(), "ann");
    ann.is_among(&["ann"]);
    let bob = Person::comes(&browser, &site.url(), "B\u{f6}b 2");
    for person in [&ann, &bob] {
        person.is_among(&["ann", "Bob-2"]);
    }
    ann.notices(&["Bob-2 joined"]);

    ann.says("hello");
    bob.says("hello yourself");
    let html = "<img src=x onerror=alert(1)>\t<b>&amp;</b>";
    ann.says(html);
    let longest = longest();
    bob.says(&longest);
    ann.hears(&[("You", "hello"), ("Bob-2", "hello yourself"), ("You", html), ("Bob-2", &longest)]);
    bob.hears(&[("ann", "hello"), ("You", "hello yourself"), ("ann", html), ("You", &longest)]);

    // Who comes later hears it too.
    let carl = Person::comes(&browser, &site.url(), "carl");
    carl.hears(&[
        ("ann", "hello"),
        ("Bob-2", "hello yourself"),
        ("ann", html),
        ("Bob-2", &longest),
    ]);
    carl.notices(&[]);

    bob.tab.kill();
    ann.is_among(&["ann", "carl"]);
    ann.notices(&["Bob-2 joined", "carl joined", "Bob-2 left"]);
    assert_eq!(browser.complaints(), [""; 0]);
}

/// The connection breaks, the server stops, and dies with a message unread: the pages come back by
/// themselves, show nothing twice, and lose nothing of what was said or only written.
fn pages_come_back(way: Way) {
    let Some((mut site, browser)) = Site::open(way) else {
        return;
    };
    let ann = Person::comes(&browser, &site.url(), "ann");
    let bob = Person::comes(&browser, &site.url(), "bob");
    ann.says("one");
    bob.hears(&[("ann", "one")]);

    ann.tab.ask("dispatchEvent(new Event('offline'))");
    ann.is_disconnected();
    bob.says("two");
    ann.is_connected();
    ann.hears(&[("You", "one"), ("bob", "two")]);
    bob.hears(&[("ann", "one"), ("You", "two")]);

    site.stop();
    ann.is_disconnected();
    bob.is_disconnected();
    ann.says("three");
    ann.waits_with("three");
    bob.types("to be continued");
    // Not even a page that is loaded anew meanwhile, where nginx has it.
    if site.has_page_without_server() {
        ann.tab.reload();
        ann.waits_with("three");
    }
    site.start_again();
    let all = [("ann", "one"), ("You", "two"), ("ann", "three")];
    bob.is_connected();
    bob.hears(&all);
    ann.is_connected();
    bob.is_among(&["ann", "bob"]);
    bob.tab.press("Enter");
    ann.tab.await_that("document.querySelector('#log').textContent.includes('continued')");

    site.freeze();
    bob.says("four");
    bob.waits_with("four");
    site.kill();
    bob.is_disconnected();
    site.start_again();
    bob.is_connected();
    bob.hears(&[&all[..], &[("You", "to be continued"), ("You", "four")]].concat());
    let others: Vec<_> = browser
        .complaints()
        .into_iter()
        // What Chromium says of an attempt that failed: no page can prevent it.
        .filter(|it| !it.starts_with("WebSocket connection to "))
        .collect();
    assert_eq!(others, [""; 0]);
}

#[test]
fn people_talk_directly() {
    people_talk(Way::Direct);
}

#[test]
fn people_talk_through_nginx() {
    people_talk(Way::Nginx);
}

#[test]
fn pages_come_back_directly() {
    pages_come_back(Way::Direct);
}

#[test]
fn pages_come_back_through_nginx() {
    pages_come_back(Way::Nginx);
}

/// The keyboard does everything: names, lines, both ways to send, colors, who is here.
#[test]
fn by_keyboard() {
    let Some((site, browser)) = Site::open(Way::Direct) else {
        return;
    };
    let ann = Person::comes(&browser, &site.url(), "ann");
    ann.types("one");
    ann.tab.press("Shift+Enter");
    ann.types("two");
    ann.tab.press("Tab");
    ann.tab.press(" ");
    ann.hears(&[("You", "one\ntwo")]);

    // Back over the log and the name, each of which shows that it has the focus.
    for id in ["log", "rename", "dark"] {
        ann.tab.press("Shift+Tab");
        ann.tab.await_that(&format!("document.activeElement.id === '{id}'"));
        ann.tab.await_that("document.activeElement.matches(':focus-visible')");
    }
    let ground = "getComputedStyle(document.body).backgroundColor";
    let light = ann.tab.ask(ground);
    ann.tab.press(" ");
    let dark = ann.tab.ask(ground);
    assert_ne!(light, dark);
    ann.tab.await_that("document.activeElement.ariaChecked === 'true'");
    ann.tab.press(" ");
    assert_eq!(ann.tab.ask(ground), light);

    ann.tab.press("Tab");
    ann.tab.press("Enter");
    ann.tab.await_that("document.getElementById('name').value === 'ann'");
    ann.tab.press("Escape");
    ann.types("still ann");
    ann.tab.press("Enter");
    ann.hears(&[("You", "one\ntwo"), ("You", "still ann")]);
    ann.tab.ask("document.getElementById('rename').focus()");
    ann.tab.press("Enter");
    ann.is_called("anna");
    ann.is_among(&["anna"]);
    // The page that is loaded again does not ask, and knows who said what.
    ann.tab.reload();
    ann.is_connected();
    ann.hears(&[("ann", "one\ntwo"), ("ann", "still ann")]);
    ann.is_among(&["anna"]);
    assert_eq!(browser.complaints(), [""; 0]);
}

/// The page is dark where the system is, and fits a phone without scrolling sideways.
#[test]
fn on_a_phone_at_night() {
    let Some((site, browser)) = Site::open(Way::Direct) else {
        return;
    };
    let ann = Person::comes(&browser, &site.url(), "ann");
    ann.says(&"long".repeat(500));
    let phone = Tab::open(&browser, (360, 640), 1.0);
    phone.prefer("dark");
    phone.visit(&site.url());
    let eve = Person { tab: phone };
    eve.is_called("eve");
    eve.hears(&[("ann", &"long".repeat(500))]);
    let ground = "getComputedStyle(document.body).backgroundColor";
    assert_ne!(eve.tab.ask(ground), ann.tab.ask(ground));
    eve.tab.prefer("light");
    eve.tab.await_that(&format!("{ground} === {}", ann.tab.ask(ground)));
    eve.tab.await_that("document.documentElement.scrollWidth === 360");
    eve.tab.await_that("document.documentElement.scrollHeight === 640");
    // A thumb is 44 pixels wide, and letters below 16 have a phone zoom in.
    let small = "[...document.querySelectorAll('button, textarea, input')].filter((it) => \
        it.checkVisibility() && (it.offsetWidth < 44 || it.offsetHeight < 44)).length";
    assert_eq!(eve.tab.ask(small), 0);
    eve.tab.await_that("getComputedStyle(document.getElementById('text')).fontSize === '16px'");
    // Who is here, and away with it again.
    let list = "document.getElementById('here').checkVisibility()";
    eve.tab.await_that(&format!("!{list}"));
    eve.tab.ask("document.getElementById('people').focus()");
    eve.tab.press("Enter");
    eve.tab.await_that(list);
    eve.is_among(&["ann", "eve"]);
    eve.tab.press("Escape");
    eve.tab.await_that(&format!("!{list}"));
    assert_eq!(browser.complaints(), [""; 0]);
}

/// Who reads what was said before is not torn away from it, and is told that there is more.
#[test]
fn reading_back() {
    let Some((site, browser)) = Site::open(Way::Direct) else {
        return;
    };
    let ann = Person::comes(&browser, &site.url(), "ann");
    let bob = Person::comes(&browser, &site.url(), "bob");
    let lines: Vec<_> = (0..30).map(|number| format!("line {number}")).collect();
    lines.iter().for_each(|line| ann.says(line));
    let at_end = "(log.scrollHeight - log.scrollTop - log.clientHeight < 2)";
    let mut all: Vec<_> = lines.iter().map(|line| ("ann", line.as_str())).collect();
    bob.hears(&all);
    bob.tab.await_that(at_end);
    bob.tab.ask("log.scrollTop = 0");
    bob.tab.await_that("!atEnd");
    ann.says("more");
    all.push(("ann", "more"));
    bob.hears(&all);
    bob.tab.await_that("newer.checkVisibility() && newer.textContent.includes('1 new message')");
    assert_eq!(bob.tab.ask("log.scrollTop"), 0);
    bob.tab.ask("newer.focus()");
    bob.tab.press("Enter");
    bob.tab.await_that(&format!("{at_end} && !newer.checkVisibility()"));
    assert_eq!(browser.complaints(), [""; 0]);
}
