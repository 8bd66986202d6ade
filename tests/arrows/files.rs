//! The files of a crate: each stands above those that it uses, and a folder is used by its face.

use super::circles::circles;
use super::house::House;
use super::sources::sources;
use crate::harness::root;

/// Where the sources of every crate lie that is in the workspace.
const CRATES: [&str; 5] =
    ["crates/proto/src", "crates/engine/src", "crates/server/src", "src", "crates/classic/src"];
/// Where those lie that are no part of it.
const OTHERS: [&str; 3] = ["tests", "bench/src", "fuzz/src"];

fn house(place: &str) -> House {
    House::of(sources(&root().join(place)))
}

/// The circles of that house, each with what ties it: `a.rs -> b.rs (crate::b::B) -> a.rs (...)`.
pub(super) fn circles_of(house: &House) -> Vec<String> {
    let arrows = house.arrows();
    let ends = arrows.iter().map(|it| (&*it.from, &*it.to));
    let circles = circles(ends).into_iter().map(|circle| {
        let mut text = circle[0].to_owned();
        for (from, to) in circle.iter().zip(circle.iter().cycle().skip(1)) {
            let tie = arrows.iter().find(|it| it.from == *from && it.to == *to);
            text += &format!(" -> {to} ({})", tie.expect("it is an arrow").path);
        }
        text
    });
    circles.collect()
}

/// The paths that lead past a folder's face: `a.rs: crate::conn::receive::Part`.
pub(super) fn inward_of(house: &House) -> Vec<String> {
    let arrows = house.arrows();
    let inward = arrows.iter().filter(|it| it.is_inward);
    inward.map(|it| format!("{}: {}", it.from, it.path)).collect()
}

/// DESIGN, rooms: no two files of a crate use each other, directly or around.
#[test]
fn no_circle() {
    for place in CRATES.into_iter().chain(OTHERS) {
        let circles = circles_of(&house(place));
        assert!(circles.is_empty(), "{place}:\n{}", circles.join("\n"));
    }
}

/// DESIGN, rooms: a folder's files are used from outside through its mod.rs.
#[test]
fn nothing_inward_past_a_face() {
    for place in CRATES.into_iter().chain(OTHERS) {
        let inward = inward_of(&house(place));
        assert!(inward.is_empty(), "{place}:\n{}", inward.join("\n"));
    }
}

/// DESIGN, style: a longer file is split by noun.
#[test]
fn no_long_file() {
    const MOST: usize = 400;
    for (file, text) in sources(root()) {
        let lines = text.lines().count();
        assert!(lines <= MOST, "{file}: {lines} lines");
    }
}

/// All crates of the workspace are looked at, and their arrows are seen.
#[test]
fn every_crate_is_there() {
    let packages = super::crates::packages();
    let mut found: Vec<_> = packages
        .iter()
        .map(|package| {
            let manifest = package["manifest_path"].as_str().expect("a path");
            let place = manifest.trim_end_matches("Cargo.toml").to_owned() + "src";
            let place = std::path::Path::new(&place).strip_prefix(root()).expect("it is below");
            place.display().to_string()
        })
        .collect();
    found.sort_unstable();
    let mut expected = CRATES.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected);
    for place in CRATES {
        assert!(!house(place).arrows().is_empty(), "{place}");
    }
}
