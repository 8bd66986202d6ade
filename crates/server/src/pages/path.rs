//! From a request's target to the names of a file below the directory of the pages.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use percent_encoding::percent_decode;

/// Where a page is: every name is one of a file or directory, and none begins with a dot.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    directories: Option<&'a [u8]>,
    /// The name of the file; `None` where the target is a directory itself, with a slash at its end.
    pub(crate) file: Option<OsString>,
}

impl Place<'_> {
    /// The directories that lead to the file, from that of the pages on. Their names are made one by one:
    /// how many there are, the client says.
    pub(crate) fn directories(&self) -> impl Iterator<Item = OsString> {
        names(self.directories).filter_map(name)
    }
}

/// The place that a target names; `None` where it names none.
pub(crate) fn place(target: &[u8]) -> Option<Place<'_>> {
    let path = path(target).strip_prefix(b"/")?;
    let (directories, last) = match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (Some(&path[..slash]), &path[slash + 1..]),
        None => (None, path),
    };
    if !names(directories).all(|part| name(part).is_some()) {
        return None;
    }
    let file = if last.is_empty() { None } else { Some(name(last)?) };
    Some(Place { directories, file })
}

fn names(directories: Option<&[u8]>) -> impl Iterator<Item = &[u8]> {
    directories.into_iter().flat_map(|path| path.split(|byte| *byte == b'/'))
}

/// Where a client finds the directory that it has named without a slash at its end (RFC 9110 10.2.2), in
/// parts that stand one behind the other.
pub(crate) fn with_slash(target: &[u8]) -> [&[u8]; 3] {
    let query = target.iter().position(|byte| *byte == b'?').map_or(&b""[..], |at| &target[at..]);
    [path(target), b"/", query]
}

/// The path of a target alone: a proxy may send the whole of a URI (RFC 9112 3.2.2).
fn path(target: &[u8]) -> &[u8] {
    let end = target.iter().position(|byte| *byte == b'?').unwrap_or(target.len());
    let target = &target[..end];
    if target.starts_with(b"/") {
        return target;
    }
    let authority = target.windows(3).position(|three| three == b"://").map_or(end, |at| at + 3);
    let slash = target[authority..].iter().position(|byte| *byte == b'/');
    slash.map_or(b"/", |at| &target[authority + at..])
}

/// The most bytes that a file's name may have; each may be written as an escape.
const MAX_NAME: usize = 255;

/// The name that a part of a path stands for, where it can be one of a page. One that is empty, or has a
/// separator in it, would be read in two ways; one with a dot before it is not for everybody.
fn name(part: &[u8]) -> Option<OsString> {
    let is_escape = |at: usize| {
        let digits = part.get(at + 1..at + 3);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    let is_sound = |at: usize| part[at] != b'%' || is_escape(at);
    if part.len() > 3 * MAX_NAME || !(0..part.len()).all(is_sound) {
        return None;
    }
    let name: Vec<u8> = percent_decode(part).collect();
    let is_separator = |byte: &u8| matches!(byte, b'/' | b'\\' | 0);
    let is_page = !name.is_empty() && name[0] != b'.' && !name.iter().any(is_separator);
    is_page.then(|| OsString::from_vec(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(target: &str) -> Option<String> {
        let place = place(target.as_bytes())?;
        let names = place.directories().map(Some).chain([place.file.clone()]);
        let names = names.map(|name| name.map_or_else(String::new, |it| it.into_string().unwrap()));
        Some(names.collect::<Vec<_>>().join("|"))
    }

    #[test]
    fn places() {
        for (target, expected) in [
            ("/", ""),
            ("/?/../x", ""),
            ("/a", "a"),
            ("/a/", "a|"),
            ("/a/b.html?c=d/e", "a|b.html"),
            ("/a%20b/%C3%A9%25", "a b|\u{e9}%"),
            ("/a%2ehtml", "a.html"),
            ("http://host:80/a/b", "a|b"),
            ("HTTP://host", ""),
            ("https://host?x", ""),
            ("/a:b@c~", "a:b@c~"),
        ] {
            assert_eq!(names(target).as_deref(), Some(expected), "{target}");
        }
    }

    #[test]
    fn no_places() {
        for target in [
            "//",
            "//a",
            "/a//b",
            "/a//",
            "/.",
            "/..",
            "/../a",
            "/a/..",
            "/a/../b",
            "/./a",
            "/.a",
            "/a/.git/config",
            "/%2e",
            "/%2E%2e/a",
            "/.%2e/a",
            "/%2e./a",
            "/a/%2e%2e/b",
            "/%2F",
            "/a%2fb",
            "/..%2fa",
            "/%5c",
            "/a\\b",
            "/..%5ca",
            "/..\\a",
            "/%00",
            "/a%00.html",
            "/%",
            "/a%",
            "/%2",
            "/%zz",
            "/%u002e",
            "http:///..",
            "http://host/../a",
        ] {
            assert_eq!(names(target), None, "{target}");
        }
    }

    #[test]
    fn slashes() {
        assert_eq!(with_slash(b"/a").concat(), b"/a/");
        assert_eq!(with_slash(b"/a/b?c=/d").concat(), b"/a/b/?c=/d");
        assert_eq!(with_slash(b"http://host/a?b").concat(), b"/a/?b");
    }
}
