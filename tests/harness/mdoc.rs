//! Manual pages, as mdoc writes them and a reader sees them.

use std::collections::BTreeMap;

/// The text of a section.
pub(crate) fn section<'a>(page: &'a str, name: &str) -> &'a str {
    let (_, from) = page.split_once(&format!("\n.Sh {name}\n")).unwrap_or_else(|| {
        panic!("no {name} in {page}");
    });
    from.split("\n.Sh ").next().expect("its text")
}

/// The names under which a page is found.
pub(crate) fn names(page: &str) -> Vec<&str> {
    let names = section(page, "NAME").lines().filter_map(|line| line.strip_prefix(".Nm "));
    names.map(|name| name.trim_end_matches(" ,")).collect()
}

/// The literal blocks of a section, as a reader sees them.
pub(crate) fn literal_blocks(page: &str, name: &str) -> Vec<String> {
    let blocks = section(page, name).split(".Bd -literal").skip(1);
    blocks
        .map(|block| {
            let (_, text) = block.split_once('\n').expect("the macro's line");
            let text = text.split("\n.Ed").next().expect("the end");
            text.replace("\\&", "").replace("\\e", "\\") + "\n"
        })
        .collect()
}

/// What the synopsis declares, by name, each as a header has it.
pub(crate) fn synopsis(page: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let (mut returned, mut name, mut arguments) = (String::new(), String::new(), Vec::new());
    for line in section(page, "SYNOPSIS").lines() {
        let (macro_name, rest) = line.split_once(' ').unwrap_or((line, ""));
        match macro_name {
            ".Vt" => {
                let variable = rest.trim_start_matches("extern ").trim_end_matches(" Ns ;");
                let at = variable.rfind([' ', '*']).expect("a type before it") + 1;
                found.insert(variable[at..].to_owned(), variable.to_owned());
            }
            ".Ft" => returned = words(rest).join(" "),
            ".Fn" => {
                let mut words = words(rest).into_iter();
                name = words.next().expect("a name");
                arguments = words.collect();
            }
            ".Fo" => (name, arguments) = (rest.to_owned(), Vec::new()),
            ".Fa" => arguments.extend(words(rest)),
            _ => {}
        }
        if matches!(macro_name, ".Fn" | ".Fc") {
            let blank = if returned.ends_with('*') { "" } else { " " };
            let prototype = format!("{returned}{blank}{name}({})", arguments.join(", "));
            found.insert(name.clone(), prototype);
        }
    }
    found
}

/// The arguments of a macro: words, or what stands between quotes.
fn words(rest: &str) -> Vec<String> {
    let pieces = rest.split('"').enumerate();
    pieces
        .flat_map(|(index, piece)| match index % 2 {
            0 => piece.split_whitespace().map(str::to_owned).collect(),
            _ => vec![piece.to_owned()],
        })
        .collect()
}
