//! The pages as mdoc: sound, complete, and of one form.

use std::process::Command;

use super::pages;
use crate::harness::{Need, names, root, section, skipped};

#[test]
fn it_is_sound_mdoc() {
    if skipped(&[Need::Tool("mandoc")]) {
        return;
    }
    for name in pages().into_keys() {
        let file = root().join("man").join(format!("{name}.3"));
        let output =
            Command::new("mandoc").args(["-T", "lint", "-W", "warning"]).arg(file).output();
        let output = output.expect("mandoc runs");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.is_empty(), "{said}");
    }
}

/// A page of functions says what they return, on which threads they may be called, and what goes wrong.
#[test]
fn a_page_is_complete() {
    const SECTIONS: [&str; 9] = [
        "NAME",
        "SYNOPSIS",
        "DESCRIPTION",
        "RETURN VALUES",
        "EXAMPLES",
        "SEE ALSO",
        "HISTORY",
        "AUTHORS",
        "CAVEATS",
    ];
    for (page, text) in pages().iter().filter(|(page, _)| *page != "libdorrit") {
        let sections = text.lines().filter_map(|line| line.strip_prefix(".Sh "));
        let sections: Vec<_> = sections.filter(|it| *it != "STANDARDS").collect();
        assert_eq!(sections, SECTIONS, "{page}");
        assert!(section(text, "DESCRIPTION").contains("\n.Ss Threads\n"), "{page}");
        let title = format!("\n.Dt {} 3\n", page.to_uppercase());
        assert!(text.contains(&title), "{page}");
    }
}

/// A page that another refers to is there, and libdorrit(3) leads to all of them.
#[test]
fn references_lead_somewhere() {
    let pages = pages();
    let known: Vec<_> = pages.values().flat_map(|page| names(page)).collect();
    for (page, text) in &pages {
        let named = text.lines().filter_map(|line| line.strip_prefix(".Xr "));
        let named = named.filter(|it| it.starts_with("ws_"));
        for name in named.filter_map(|it| it.split(' ').next()) {
            assert!(known.contains(&name), "{page}: {name}");
        }
        let entry = format!("\n.It Xr {page} 3\n");
        assert!(page == "libdorrit" || pages["libdorrit"].contains(&entry), "{page}");
    }
}
