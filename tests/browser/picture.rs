//! README's picture, docs/chat.png: two windows of one chat. `make screenshot` paints it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::person::Person;
use super::site::{Site, Way};
use super::tab::Tab;
use crate::harness::root;

/// Pixels of the picture to each of the page's, so that letters are sharp.
/// Everything below lies on whole pixels of it.
const SCALE: f64 = 1.25;

const DESKTOP: (u32, u32) = (860, 726);
const PHONE: (u32, u32) = (340, 640);

#[test]
#[ignore = "changes docs/chat.png"]
fn paint() {
    let Some((site, browser)) = Site::open(Way::Direct) else {
        return;
    };
    let comes = |name, size, scheme| {
        let tab = Tab::open(&browser, size, SCALE);
        tab.live_in("en-GB");
        tab.prefer(scheme);
        tab.visit(&site.url());
        let person = Person { tab };
        person.is_called(name);
        person
    };
    let tomasz = comes("tomasz", DESKTOP, "light");
    let zoe = comes("Zoe", PHONE, "dark");
    let mira = comes("mira", DESKTOP, "light");
    let everybody = [&mira, &tomasz, &zoe];
    let talk = [
        (&mira, "Morning! The new server is up on the small machine."),
        (&mira, "One file of C and one page. Who tries to break it?"),
        (&tomasz, "A thousand of us in one room, and its memory stays flat."),
        (&zoe, "We were in a tunnel just now. It came back by itself \u{1f44d}"),
        (&mira, "And I have started the server again meanwhile."),
        (&zoe, "Really? Nothing is missing here."),
        (&tomasz, "\u{1f389}"),
    ];
    for (count, (who, what)) in (1..).zip(talk) {
        who.says(what);
        for person in everybody {
            let heard = "document.querySelectorAll('.message:not(.waiting)').length";
            person.tab.await_that(&format!("{heard} === {count}"));
        }
    }
    for person in everybody {
        // Nothing moves any more, and no cursor blinks.
        person
            .tab
            .ask("Promise.all(document.getAnimations().map((it) => it.finished)).then(() => 0)");
        let tidy = "document.activeElement.blur(); \
            document.querySelectorAll('.note:not(.day)').forEach((it) => it.remove())";
        person.tab.ask(tidy);
    }
    let frame = Tab::open(&browser, (1180, 790), SCALE);
    frame.ask(&format!(
        "document.body.style = 'margin: 0; background: #dfe5e3'; \
         for (const [data, place] of [ \
             ['{}', 'left: 32px; top: 40px; width: {}px'], \
             ['{}', 'right: 32px; bottom: 34px; width: {}px'], \
         ]) {{ \
             const image = new Image(); \
             image.src = 'data:image/png;base64,' + data; \
             image.style = 'position: absolute; border-radius: 14px; outline: 1px solid #0003;' + place; \
             document.body.append(image); \
         }} \
         Promise.all([...document.images].map((it) => it.decode())).then(() => 0)",
        mira.tab.picture(),
        DESKTOP.0,
        zoe.tab.picture(),
        PHONE.0,
    ));
    let picture = BASE64_STANDARD.decode(frame.picture()).expect("base64");
    std::fs::create_dir_all(root().join("docs")).expect("a directory");
    std::fs::write(root().join("docs/chat.png"), picture).expect("the picture");
    assert_eq!(browser.complaints(), [""; 0]);
}
