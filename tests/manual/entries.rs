//! What the header declares has its entry in the manual, in the same words.

use std::collections::{BTreeMap, BTreeSet};

use super::pages;
use crate::harness::{literal_blocks, names, root, synopsis};

fn header() -> String {
    std::fs::read_to_string(root().join("include/dorrit.h")).expect("the header")
}

/// The header's lines without comments and the preprocessor's.
fn lines(header: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    header.lines().map(str::trim).filter(move |line| {
        let was_inside = inside || line.starts_with("/*");
        inside = was_inside && !line.ends_with("*/");
        !was_inside && !line.is_empty() && !line.starts_with('#')
    })
}

/// Functions and variables that the header declares, by name, in one line each; and the members of its
/// structures.
fn declared(header: &str) -> (BTreeMap<String, String>, BTreeMap<String, Vec<String>>) {
    let (mut declared, mut structures) = (BTreeMap::new(), BTreeMap::<_, Vec<_>>::new());
    let mut structure = None;
    let mut statement = String::new();
    for line in lines(header) {
        if line.ends_with('{') {
            structure = line.strip_prefix("struct ").map(|it| it.trim_end_matches(" {").to_owned());
            continue;
        }
        if line.starts_with('}') {
            structure = None;
            continue;
        }
        statement = format!("{statement} {line}");
        let Some(whole) = statement.strip_suffix(';') else { continue };
        let whole = plain(whole);
        statement.clear();
        if let Some(structure) = &structure {
            structures.entry(structure.clone()).or_default().push(whole);
        } else if !whole.starts_with("typedef ") && !whole.starts_with("__attribute__") {
            let end = whole.find('(').unwrap_or(whole.len());
            let start = whole[..end].rfind([' ', '*']).expect("a type before it") + 1;
            declared.insert(whole[start..end].to_owned(), whole);
        }
    }
    (declared, structures)
}

/// A declaration as the manual writes it.
fn plain(declaration: &str) -> String {
    let words: Vec<_> = declaration.split_whitespace().collect();
    let declaration = words.join(" ").replace("( ", "(").replace("ws_byte", "unsigned char");
    declaration.trim_start_matches("extern ").to_owned()
}

/// By its name man(1) finds the one page that tells of it, and there its prototype is the header's.
#[test]
fn every_declaration_has_one() {
    let pages = pages();
    let (declared, _) = declared(&header());
    assert!(declared.len() >= 30, "{declared:?}");
    for (name, declaration) in declared {
        let those: Vec<_> =
            pages.iter().filter(|(_, page)| names(page).contains(&&*name)).collect();
        let [(page, text)] = those[..] else { panic!("{} pages have {name}", those.len()) };
        assert_eq!(synopsis(text).get(&name), Some(&declaration), "{page}");
    }
}

/// What a page is found by stands in its synopsis, and nothing else does; and the header has it.
#[test]
fn a_page_declares_what_it_names() {
    let (header, _) = declared(&header());
    for (page, text) in pages() {
        let declared = synopsis(&text);
        let declared: BTreeSet<_> = declared.keys().map(String::as_str).collect();
        let named: BTreeSet<_> = names(&text).into_iter().filter(|it| *it != "libdorrit").collect();
        assert_eq!(declared, named, "{page}");
        assert!(named.iter().all(|name| header.contains_key(*name)), "{page}");
        assert_eq!(names(&text)[0], page, "the first name is the page's");
    }
}

/// Constants are told of, and so are the members of structures, in their order.
#[test]
fn constants_and_structures() {
    let (pages, header) = (pages(), header());
    let constants = header.lines().filter_map(|line| line.strip_prefix("#define WS_"));
    let constants: Vec<_> = constants.filter_map(|it| it.split(' ').next()).collect();
    assert!(constants.len() >= 2, "{constants:?}");
    for constant in constants {
        let word = format!(".Dv WS_{constant}");
        assert!(pages.values().any(|page| page.contains(&word)), "{constant}");
    }

    let (_, structures) = declared(&header);
    let stats = pages["ws_get_stats"].lines().filter_map(|line| line.strip_prefix(".It Va "));
    let stats: Vec<_> = stats.map(|name| format!("unsigned long long {name}")).collect();
    assert_eq!(structures["ws_stats"], stats);
    let block = literal_blocks(&pages["ws_set_callbacks"], "DESCRIPTION").concat();
    let (_, members) = block.split_once('{').expect("the structure");
    let (members, _) = members.split_once('}').expect("its end");
    let members: Vec<_> = members.split_terminator(';').map(plain).collect();
    assert_eq!(structures["ws_callbacks"], members[..members.len() - 1]);
}
