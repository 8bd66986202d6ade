//! The files of a directory as pages.

use std::ffi::OsStr;
use std::fmt::{self, Write as _};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd, RawFd};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dorrit_engine::{ConnId, Engine, Response};
use dorrit_proto::{Plain, Refusal, Request};
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

    /// Answers the plain request that the engine has told.
    pub(crate) fn answer(&self, engine: &mut Engine, id: ConnId) {
        let Some((request, plain)) = engine.request(id).zip(engine.plain(id)) else { return };
        let answer = Answer { request, plain };
        let response = match self.find(request.target()) {
            Ok(found) => answer.found(found),
            // What is asked for does not matter: it cannot be looked at.
            Err(Errno::MFILE | Errno::NFILE | Errno::NOMEM) => Err(fmt::Error),
            Err(_) => answer.text("404 Not Found", "", "there is no such page\n"),
        };
        match response {
            Ok(response) => engine.respond(id, response),
            Err(fmt::Error) => engine.refuse(id, Refusal::Status(503)),
        }
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

/// The answer to a plain request.
struct Answer<'a> {
    request: &'a Request,
    plain: Plain,
}

impl Answer<'_> {
    fn found(&self, found: Found) -> Result<Response, fmt::Error> {
        let Found::Page { file, len, changed, kind } = found else {
            let mut location = Text::new();
            location.write_str("Location: ")?;
            for chunk in with_slash(self.request.target()).into_iter().flat_map(<[u8]>::utf8_chunks)
            {
                location.write_str(chunk.valid())?;
                let rest = if chunk.invalid().is_empty() { "" } else { "\u{fffd}" };
                location.write_str(rest)?;
            }
            location.write_str("\r\n")?;
            return self.text("301 Moved Permanently", &location.0, "it is a directory\n");
        };
        let mut headers = changed.map_or_else(String::new, |changed| {
            format!("Last-Modified: {}\r\n", fmt_http_date(changed))
        });
        if changed.is_some_and(|changed| self.is_known(changed)) {
            return self.response("304 Not Modified", &headers, None);
        }
        headers += &format!("Content-Type: {kind}\r\nContent-Length: {len}\r\n");
        self.response("200 OK", &headers, (!self.plain.is_head).then_some((file, len)))
    }

    /// Whether the client has the page as it was at this time (RFC 9110 13.1.3).
    fn is_known(&self, changed: SystemTime) -> bool {
        let mut since = self.request.header("if-modified-since");
        let date = since.next().and_then(|date| std::str::from_utf8(date).ok());
        let date = date.and_then(|date| parse_http_date(date).ok());
        let is_asked =
            self.request.header("if-none-match").next().is_none() && since.next().is_none();
        is_asked && date.is_some_and(|date| changed <= date)
    }

    /// An answer whose text is one line.
    fn text(&self, status: &str, headers: &str, text: &str) -> Result<Response, fmt::Error> {
        let mut all = Text::new();
        write!(
            all,
            "{headers}Content-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n",
            text.len()
        )?;
        let mut response = self.response(status, &all.0, None)?;
        if !self.plain.is_head {
            response.head.try_reserve(text.len()).map_err(|_| fmt::Error)?;
            response.head.extend_from_slice(text.as_bytes());
        }
        Ok(response)
    }

    fn response(
        &self,
        status: &str,
        headers: &str,
        body: Option<(File, u64)>,
    ) -> Result<Response, fmt::Error> {
        let keeps_alive = self.plain.keeps_alive;
        let close = if keeps_alive { "" } else { "Connection: close\r\n" };
        let date = fmt_http_date(now());
        // Whoever tries something out wants to see what is there now, and as what it is meant.
        let mut head = Text::new();
        write!(
            head,
            "HTTP/1.1 {status}\r\nDate: {date}\r\nCache-Control: no-cache\r\n\
             X-Content-Type-Options: nosniff\r\n{headers}{close}\r\n"
        )?;
        Ok(Response { head: head.0.into_bytes(), body, keeps_alive })
    }
}
