//! The answers to plain requests: a head and a part of a file, sent in turns like all else.

use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use dorrit_proto::Plain;

use crate::clock::Moment;
use crate::closing::LOOK;
use crate::config::{PlainRequests, TURN};
use crate::conn::{Phase, Then};
use crate::deadlines::{Deadline, Kind};
use crate::engine::Engine;
use crate::event::{Event, OutOfMemory};
use crate::pool::Key;
use crate::sys::Sent;
use crate::turn::Step;
use crate::{ConnId, sys};

/// An answer to a plain request.
#[derive(Debug)]
pub struct Response {
    /// The status line and the headers, with the empty line at their end, and what text follows it.
    pub head: Vec<u8>,
    /// A file, of which so many bytes follow.
    pub body: Option<(File, u64)>,
    /// Whether another request may follow: as [`Engine::plain`] allows and the head says.
    pub keeps_alive: bool,
}

/// How far the answers to the requests of a connection have come.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    file: Option<File>,
    sent: u64,
    left: u64,
    keeps_alive: bool,
    /// When the client must have done its next step, and when that is looked at.
    due: Option<Moment>,
    watched: Option<Moment>,
}

impl Engine {
    /// What the plain request asks for that [`Event::Requested`] told last. A server that is nearly full,
    /// or that is to end, keeps no connection for another request.
    pub fn plain(&self, id: ConnId) -> Option<Plain> {
        let plain = self.request(id)?.judge_plain().ok().flatten()?;
        let has_room = self.table.len() <= self.config.max_connections && !self.is_ending();
        Some(Plain { keeps_alive: plain.keeps_alive && has_room, ..plain })
    }

    /// Answers the request that [`Event::Requested`] told. The file is read while it is sent; where it
    /// has become shorter, or cannot be read, the connection is cut.
    pub fn respond(&mut self, id: ConnId, response: Response) {
        if self.opening != Some(id) {
            return;
        }
        self.opening = None;
        if self.phase(id) == Phase::Dead {
            return self.retire(id);
        }
        if self.begin_response(id, response).is_err() {
            self.kill(id);
        }
    }

    fn begin_response(&mut self, id: ConnId, response: Response) -> Result<(), OutOfMemory> {
        // Whatever was queued for it meanwhile was for a connection that it is not.
        self.drop_queue(id);
        if self.is_turn_of(id) {
            self.output.clear();
        }
        self.responses.reserve()?;
        let Some(conn) = self.table.get_mut(id) else { return Ok(()) };
        let key = *conn.response.get_or_insert_with(|| self.responses.take());
        let Response { head, body, keeps_alive } = response;
        let (file, left) = body.unzip();
        let progress = &mut self.responses[key];
        (progress.file, progress.left) = (file, left.unwrap_or(0));
        (progress.sent, progress.keeps_alive) = (0, keeps_alive);
        conn.phase = Phase::Flushing(Then::Respond);
        self.queue_answer(id, head)?;
        self.expect(id, key, Kind::DRAIN);
        Ok(())
    }

    /// Tells the caller of a plain request, where it wants to hear of them.
    pub(crate) fn receive_plain(&mut self, id: ConnId) -> Option<Step> {
        if self.config.plain_requests == PlainRequests::Refused {
            return None;
        }
        match self.request.judge_plain() {
            Ok(None) => None,
            Ok(Some(_)) => {
                self.set_phase(id, Phase::Opening);
                self.opening = Some(id);
                Some(Step::Event(Event::Requested(id)))
            }
            Err(refusal) => {
                self.refuse(id, refusal);
                Some(Step::Event(Event::Refused(id, refusal)))
            }
        }
    }

    /// Sends a turn's worth of the file, when all before it is sent.
    pub(crate) fn send_body(&mut self, id: ConnId) {
        let Some(conn) = self.table.get(id) else { return };
        let (Some(key), Some(socket)) = (conn.response, &conn.socket) else { return self.kill(id) };
        let progress = &mut self.responses[key];
        if progress.left == 0 {
            return self.end_response(id, key);
        }
        let len = progress.left.min(TURN as u64) as usize;
        if progress.read(&mut self.body, len).is_err() {
            return self.kill(id);
        }
        let sent = match sys::send(socket.as_fd(), &[IoSlice::new(&self.body)]) {
            Sent::Bytes(sent) => sent,
            Sent::Later => return self.retry(id),
            Sent::Refused | Sent::Failed => return self.kill(id),
        };
        self.stats.bytes_out += sent as u64;
        progress.sent += sent as u64;
        progress.left -= sent as u64;
        let (is_blocked, is_over) = (sent < self.body.len(), progress.left == 0);
        if sent > 0 {
            self.expect(id, key, Kind::DRAIN);
        }
        if is_over {
            self.end_response(id, key);
        } else if is_blocked {
            self.watch(id, true);
        } else {
            self.resume_sending(id);
        }
    }

    /// Goes on with a connection whose request is answered.
    fn end_response(&mut self, id: ConnId, key: Key) {
        let progress = &mut self.responses[key];
        if !progress.keeps_alive || self.stop_at.is_some() {
            self.drop_response(id);
            self.set_phase(id, Phase::Flushing(Then::Discard));
            self.set_deadline(id, Kind::Flush, Kind::CLOSE);
            return self.settle(id);
        }
        progress.file = None;
        self.set_phase(id, Phase::Handshake);
        self.watch(id, false);
        self.expect(id, key, Kind::HANDSHAKE);
        self.resume(id);
    }

    /// Expects the client's next step so long from now. A connection has one such deadline, which is moved
    /// when it comes.
    fn expect(&mut self, id: ConnId, key: Key, after: Duration) {
        let at = self.clock.deadline(after);
        let progress = &mut self.responses[key];
        progress.due = Some(at);
        if progress.watched.is_some_and(|watched| watched <= at) {
            return;
        }
        self.watch_page(id, key, at);
    }

    fn watch_page(&mut self, id: ConnId, key: Key, at: Moment) {
        self.responses[key].watched = Some(at);
        let deadline = Deadline { at, kind: Kind::Page, conn: id, mark: 0 };
        if self.deadlines.push(deadline).is_err() {
            self.kill(id);
        }
    }

    /// Ends a connection whose client has not done its next step, if that is so.
    pub(crate) fn expire_page(&mut self, id: ConnId, expired: Deadline) {
        let Some(conn) = self.table.get(id) else { return };
        let (Some(key), phase) = (conn.response, conn.phase) else { return };
        let (has_begun, waits_for_turn) = (conn.input.is_some(), conn.listed.is_any());
        let progress = &mut self.responses[key];
        if progress.watched != Some(expired.at) {
            // An earlier one has taken its place.
            return;
        }
        if let Some(due) = progress.due.filter(|due| *due > expired.at) {
            return self.watch_page(id, key, due);
        }
        if waits_for_turn {
            let at = self.clock.deadline(LOOK);
            return self.watch_page(id, key, at);
        }
        match phase {
            Phase::Handshake if has_begun => self.refuse_slow(id),
            // It has nothing more to ask, which is no fault.
            _ => self.kill(id),
        }
    }

    /// Closes the file, and frees what is kept of the answers.
    pub(crate) fn drop_response(&mut self, id: ConnId) {
        if let Some(key) = self.table.get_mut(id).and_then(|conn| conn.response.take()) {
            self.responses[key] = Progress::default();
            self.responses.give_back(key);
        }
    }
}

impl Progress {
    /// Reads on in the file, at most so many bytes. What the socket does not take is read again.
    fn read(&self, body: &mut Vec<u8>, len: usize) -> io::Result<()> {
        body.try_reserve(len.saturating_sub(body.len()))?;
        body.resize(len, 0);
        let Some(file) = &self.file else { return Err(io::ErrorKind::UnexpectedEof.into()) };
        match file.read_at(body, self.sent)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                body.truncate(read);
                Ok(())
            }
        }
    }
}
