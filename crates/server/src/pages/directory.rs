//! The files of a directory as pages.

use std::ffi::OsStr;
use std::fmt::{self, Write as _};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd, RawFd};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dorrit_proto::{Refusal, Request};
use httpdate::{fmt_http_date, parse_http_date};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat, fstat, openat, statat};
use rustix::io::Errno;

use super::path::{place, with_slash};
use super::text::Text;
use crate::error::{StartError, errno_text};

/// The file that is served for a directory.
const INDEX: &str = "index.html";

/// The directory whose files are served.
#[derive(Debug)]
pub(crate) struct Pages(OwnedFd);

/// What a target names.
enum Found {
    Page {
        file: File,
        len: u64,
        changed: Option<SystemTime>,
        /// The media type of the page.
        kind: String,
    },
    /// A directory, named without the slash at its end.
    Directory,
}

impl Pages {
    /// The directory's descriptor.
    pub(crate) fn descriptor(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// Opens the directory. Nothing outside it is reached from then on, whatever becomes of its path.
    pub(crate) fn open(path: &Path) -> Result<Self, StartError> {
        let directory = openat(CWD, path, FLAGS | OFlags::DIRECTORY, Mode::empty());
        // By its own name: that it can be read does not say that it can be searched.
        let directory = directory.and_then(|it| open_below(&it, OsStr::new(".")));
        directory.map(Self).map_err(|error| StartError::path("-w", path, errno_text(&error.into())))
    }

    /// The page that a request asks for, or what is said where there is none.
    pub(crate) fn find_page(&self, request: &Request) -> Result<Page, Refusal> {
        let page = match self.find(request.target()) {
            Ok(found) => page(request, found),
            // What is asked for does not matter: it cannot be looked at.
            Err(Errno::MFILE | Errno::NFILE | Errno::NOMEM) => Err(fmt::Error),
            Err(_) => Page::text(404, "", "there is no such page\n"),
        };
        page.map_err(|fmt::Error| Refusal::Status(503))
    }

    /// Goes down from the directory name by name. No link is followed, and nothing is opened that is no
    /// file: a pipe or a device might notice.
    fn find(&self, target: &[u8]) -> Result<Found, Errno> {
        let place = place(target).ok_or(Errno::NOENT)?;
        let mut below: Option<OwnedFd> = None;
        for name in place.directories() {
            let at = below.as_ref().unwrap_or(&self.0);
            below = Some(open_below(at, &name)?);
        }
        let file = &place.file;
        let at = below.as_ref().unwrap_or(&self.0);
        let name = file.as_deref().unwrap_or(OsStr::new(INDEX));
        let as_file = |stat: Stat| match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok(Some(stat)),
            FileType::Directory if file.is_some() => Ok(None),
            _ => Err(Errno::NOENT),
        };
        if as_file(statat(at, name, AtFlags::SYMLINK_NOFOLLOW)?)?.is_none() {
            return Ok(Found::Directory);
        }
        let opened = openat(at, name, FLAGS | OFlags::NOFOLLOW | OFlags::NONBLOCK, Mode::empty())?;
        // Another may have taken its place meanwhile.
        let stat = as_file(fstat(&opened)?)?.ok_or(Errno::NOENT)?;
        Ok(Found::Page {
            file: File::from(opened),
            len: stat.st_size as u64,
            changed: changed(&stat),
            kind: kind(name),
        })
    }
}

/// How pages and directories are opened.
const FLAGS: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NOCTTY);

/// Opens a directory, and never what a link in its place points to.
fn open_below(at: impl AsFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    openat(at, name, FLAGS | OFlags::DIRECTORY | OFlags::NOFOLLOW, Mode::empty())
}

/// When a file was changed, in whole seconds; not in the future (RFC 9110 8.8.2.1), nor before there
/// was a way to say so.
fn changed(stat: &Stat) -> Option<SystemTime> {
    let seconds = u64::try_from(stat.st_mtime).ok()?;
    let changed = UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?;
    Some(changed.min(now()))
}

/// The time, which has no date before 1970.
fn now() -> SystemTime {
    SystemTime::now().max(UNIX_EPOCH)
}

/// The media type that the name's ending says.
fn kind(name: &OsStr) -> String {
    let kind = mime_guess::from_path(name).first_or_octet_stream();
    match kind.type_() {
        mime_guess::mime::TEXT => format!("{}; charset=utf-8", kind.essence_str()),
        _ => kind.essence_str().to_owned(),
    }
}

/// A page, or what is said in its place.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    /// Header lines, each with its end.
    pub(crate) headers: String,
    /// What the content is, where the client does not have it.
    pub(crate) content: Option<PageContent>,
}

/// What is sent of a page.
#[derive(Debug)]
pub(crate) enum PageContent {
    Text(&'static str),
    File(File, u64),
}

/// What every answer says: whoever tries something out wants to see what is there now, and as what it is meant.
const COMMON: &str = "Cache-Control: no-cache\r\nX-Content-Type-Options: nosniff\r\n";

/// The answer with what was found.
fn page(request: &Request, found: Found) -> Result<Page, fmt::Error> {
    let Found::Page { file, len, changed, kind } = found else {
        let mut location = Text::new();
        location.write_str("Location: ")?;
        for chunk in with_slash(request.target()).into_iter().flat_map(<[u8]>::utf8_chunks) {
            location.write_str(chunk.valid())?;
            let rest = if chunk.invalid().is_empty() { "" } else { "\u{fffd}" };
            location.write_str(rest)?;
        }
        location.write_str("\r\n")?;
        return Page::text(301, &location.0, "it is a directory\n");
    };
    let mut headers = Text::new();
    headers.write_str(COMMON)?;
    if let Some(changed) = changed {
        write!(headers, "Last-Modified: {}\r\n", fmt_http_date(changed))?;
    }
    if changed.is_some_and(|changed| is_known(request, changed)) {
        return Ok(Page { status: 304, headers: headers.0, content: None });
    }
    write!(headers, "Content-Type: {kind}\r\n")?;
    let content = Some(PageContent::File(file, len));
    Ok(Page { status: 200, headers: headers.0, content })
}

/// Whether the client has the page as it was at this time (RFC 9110 13.1.3).
fn is_known(request: &Request, changed: SystemTime) -> bool {
    let mut since = request.header("if-modified-since");
    let date = since.next().and_then(|date| std::str::from_utf8(date).ok());
    let date = date.and_then(|date| parse_http_date(date).ok());
    let is_asked = request.header("if-none-match").next().is_none() && since.next().is_none();
    is_asked && date.is_some_and(|date| changed <= date)
}

impl Page {
    /// An answer whose text is one line.
    fn text(status: u16, headers: &str, text: &'static str) -> Result<Self, fmt::Error> {
        let mut all = Text::new();
        write!(all, "{COMMON}{headers}Content-Type: text/plain; charset=utf-8\r\n")?;
        Ok(Self { status, headers: all.0, content: Some(PageContent::Text(text)) })
    }
}
