//! A house that is made up, which shows that what must not be is found.

use super::files::{circles_of, inward_of};
use super::house::House;
use super::mentions::{Mention, mentions};

/// A folder with a face, and what may be: arrows down, by all the ways in which a path is written.
const SOUND: [(&str, &str); 6] = [
    ("lib.rs", "mod conn; mod frame; mod turn; pub use conn::Part; pub use frame::Frame as Whole;"),
    ("frame.rs", "pub struct Frame; #[cfg(test)] mod tests { use crate::turn::Turn; }"),
    ("frame_tests.rs", "use crate::turn::Turn;"),
    ("conn/mod.rs", "mod receive; mod send; pub use receive::{Part, Rest}; pub use send::*;"),
    ("conn/receive.rs", "pub struct Part; fn f(frame: crate::Whole) -> std::io::Result<()> {}"),
    ("turn.rs", "use crate::conn::{self, Rest}; fn f() { conn::Part::new(); super::frame::g() }"),
];

fn house(changes: &[(&str, &str)]) -> House {
    let mut files = Vec::from(SOUND);
    files.push(("conn/send.rs", "use super::receive::Part;"));
    files.retain(|(file, _)| !changes.iter().any(|(changed, _)| changed == file));
    files.extend(changes);
    House::of(files.into_iter().map(|(file, text)| (file.to_owned(), text.to_owned())))
}

fn arrows(house: &House) -> Vec<String> {
    let arrows = house.arrows().into_iter();
    let mut arrows: Vec<_> = arrows.map(|it| format!("{} -> {}", it.from, it.to)).collect();
    arrows.sort_unstable();
    arrows.dedup();
    arrows
}

/// What a face hands on is where it comes from; what tests alone use is no arrow.
#[test]
fn arrows_of_a_sound_house() {
    let house = house(&[]);
    let expected = [
        "conn/mod.rs -> conn/receive.rs",
        "conn/mod.rs -> conn/send.rs",
        "conn/receive.rs -> frame.rs",
        "conn/send.rs -> conn/receive.rs",
        "lib.rs -> conn/receive.rs",
        "lib.rs -> frame.rs",
        "turn.rs -> conn/receive.rs",
        "turn.rs -> frame.rs",
    ];
    assert_eq!(arrows(&house), expected);
    assert_eq!(circles_of(&house), [""; 0]);
    assert_eq!(inward_of(&house), [""; 0]);
}

#[test]
fn a_circle_of_two() {
    let house = house(&[
        ("frame.rs", "impl Frame { fn f(turn: &crate::turn::Turn) {} }"),
        ("turn.rs", "fn f() { super::frame::g() }"),
    ]);
    let expected = "frame.rs -> turn.rs (crate::turn::Turn) -> frame.rs (super::frame::g)";
    assert_eq!(circles_of(&house), [expected]);
}

/// The face between them is passed: who uses what it hands on uses the file that has it.
#[test]
fn a_circle_of_two_by_a_face() {
    let house = house(&[("frame.rs", "use crate::{Part, Whole};")]);
    let expected = "conn/receive.rs -> frame.rs (crate::Whole) -> conn/receive.rs (crate::Part)";
    assert_eq!(circles_of(&house), [expected]);
}

#[test]
fn a_circle_of_three() {
    let house = house(&[
        ("frame.rs", "macro_rules! turn { () => { $crate::turn::Turn::new() } }"),
        ("turn.rs", "use super::conn::Part;"),
    ]);
    let expected = "conn/receive.rs -> frame.rs (crate::Whole) -> turn.rs (crate::turn::Turn::new) \
                    -> conn/receive.rs (super::conn::Part)";
    assert_eq!(circles_of(&house), [expected]);
}

/// A member that takes what its folder's mod.rs has of its own, and gives it something.
#[test]
fn a_circle_with_the_face() {
    let house = house(&[("conn/send.rs", "use super::Conn;")]);
    let expected = "conn/mod.rs -> conn/send.rs (send) -> conn/mod.rs (super::Conn)";
    assert_eq!(circles_of(&house), [expected]);
}

#[test]
fn inward_paths() {
    for path in ["crate::conn::receive::Part", "super::conn::receive", "conn::receive::Part"] {
        let text = format!("use crate::conn; fn f() {{ {path} }}");
        let house = house(&[("turn.rs", &text)]);
        assert_eq!(inward_of(&house), [format!("turn.rs: {path}")]);
    }
    // Its own files may, and those of a folder within it.
    let text = "use crate::conn::receive::Part;";
    assert_eq!(inward_of(&house(&[("conn/send.rs", text)])), [""; 0]);
    assert_eq!(inward_of(&house(&[("conn/send/mod.rs", text)])), [""; 0]);
}

/// A function may be called as the module that it comes from.
#[test]
fn a_name_that_is_two() {
    let house = house(&[
        ("conn/mod.rs", "mod receive; pub use receive::receive;"),
        ("turn.rs", "use crate::conn::receive; fn f() { receive() }"),
    ]);
    assert_eq!(inward_of(&house), [""; 0]);
    assert!(arrows(&house).contains(&"turn.rs -> conn/receive.rs".to_owned()));
}

#[test]
fn paths_as_they_are_written() {
    let text = "
        //! Of `crate::nothing::at_all`.
        pub(in crate::nobody) use crate::{a::B as C, d::{self, E}, f::*};
        #[cfg(test)] #[path = \"it_tests.rs\"] mod tests;
        #[cfg(test)] use crate::for_tests::One;
        mod inner { use super::Own; use super::super::g::H; fn f() { <i::J>::k::l() } }
        fn f(m: &n::O<p::Q>) -> &'static str { \"crate::r::S\" }
    ";
    let written = |it: Mention| {
        let name = it.imported_as.map_or(String::new(), |name| format!(" as {name}"));
        it.path.join("::") + &name
    };
    let found: Vec<_> = mentions(text).into_iter().map(written).collect();
    let expected = [
        "crate::a::B as C",
        "crate::d as d",
        "crate::d::E as E",
        "crate::f",
        "self::Own as Own",
        "super::g::H as H",
        "i::J",
        "n::O",
        "p::Q",
    ];
    assert_eq!(found, expected);
}
