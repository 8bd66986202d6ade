//! What the caller asks and decides of requests, and who makes them.

use std::net::IpAddr;
use std::os::fd::{AsRawFd as _, OwnedFd};

use dorrit_proto::{Plain, Refusal, Request};

use super::Engine;
use crate::config::PlainRequests;
use crate::conn::{Conn, Context, Standing};
use crate::event::{OutOfMemory, SendError};
use crate::exchange::Response;
use crate::id::ConnId;
use crate::pool::PoolKey;
use crate::reactor::Interest;
use crate::sys;
use crate::timers::Kind;
use crate::transport::Transport;

impl Engine {
    /// The request that [`Event::Opened`](crate::Event::Opened) or [`Event::Requested`](crate::Event::Requested) told
    /// last, until it is decided on; or one on which [`Engine::defer`] has put the decision off, as long.
    pub fn request(&self, id: ConnId) -> Option<&Request> {
        let (own, conn) = self.known(id)?;
        conn.request(own, &self.cx)
    }

    /// The request that [`Event::Refused`](crate::Event::Refused) told last, until the next event, where there is one.
    pub fn refused_request(&self, id: ConnId) -> Option<&Request> {
        let refused = self.cx.pending.refused.as_ref().filter(|refused| refused.id == id)?;
        Some(refused.kept.as_ref().unwrap_or(&self.cx.inbox.request))
    }

    /// The request that [`Event::Requested`](crate::Event::Requested) told last, what it asks for, and its body, which is
    /// the caller's from now on.
    pub fn take_asked(&mut self, id: ConnId) -> Option<(&Request, Plain, Vec<u8>)> {
        let (own, conn) = self.known(id)?;
        let key = conn.exchange?;
        conn.request(own, &self.cx)?;
        let plain = self.plain_of(key)?;
        let cx = &mut self.cx;
        let exchange = &mut cx.exchanges[key];
        let body = std::mem::take(&mut exchange.body);
        cx.memory.change(body.capacity(), 0);
        let request = cx.exchanges[key].request.as_ref().unwrap_or(&cx.inbox.request);
        Some((request, plain, body))
    }

    /// What a plain request that is to be decided on asks for. A server that is nearly full, or that is to end, keeps no
    /// connection for another request.
    pub fn plain(&self, id: ConnId) -> Option<Plain> {
        let (own, conn) = self.known(id)?;
        conn.request(own, &self.cx)?;
        self.plain_of(conn.exchange?)
    }

    fn plain_of(&self, key: PoolKey) -> Option<Plain> {
        let plain = self.cx.exchanges[key].plain?;
        let has_read_body = matches!(self.cx.config.plain_requests, PlainRequests::ToldWithBody(_));
        let plain = if has_read_body { plain } else { plain.without_body() };
        let is_ending = self.cx.lifecycle.is_ending();
        let has_room = self.conns.len() <= self.cx.config.max_connections && !is_ending;
        Some(Plain { keeps_alive: plain.keeps_alive && has_room, ..plain })
    }

    /// Accepts the connection that [`Event::Opened`](crate::Event::Opened) told last, or on which the decision was put
    /// off: with a sub-protocol where one of those was chosen that [`Engine::request`] offers, and with these header
    /// lines in the answer, each with the end of its line. Returns whether it is one now, whose end is told.
    pub fn accept(&mut self, id: ConnId, protocol: Option<&[u8]>, headers: &[u8]) -> bool {
        let accept = |conn: &mut Conn, cx: &mut Context| {
            let is_asked = cx.pending.opening == Some(id) || conn.standing == Standing::Deferred;
            is_asked && !conn.is_plain(cx) && conn.accept(cx, protocol, headers)
        };
        let is_accepted = self.with(id, accept) == Some(true);
        if is_accepted {
            self.cx.open += 1;
            self.cx.connections.add();
        }
        is_accepted
    }

    /// Answers a request without a connection. Nothing that was sent before goes out.
    pub fn refuse(&mut self, id: ConnId, refusal: Refusal) {
        self.with_known(id, |conn, cx| conn.refuse(cx, refusal));
    }

    /// Answers the request that was told last, or on which the decision was put off. A file is read while it is sent;
    /// where it has become shorter, or cannot be read, the connection is cut. An upgrade is refused by that; its answer
    /// must say that the connection is closed.
    pub fn respond(&mut self, id: ConnId, response: Response<'_>) {
        self.with_known(id, |conn, cx| conn.respond(cx, response));
    }

    /// Puts the decision on the request off that was told last: it stays as it is until [`Engine::accept`],
    /// [`Engine::refuse`] or [`Engine::respond`] is called, its client leaves, or
    /// [`Config::decision_timeout`](crate::Config::decision_timeout) is over. Exactly one
    /// [`Event::Closed`](crate::Event::Closed) follows. An error says that there is no memory for that, or that the
    /// request is none that is to be decided on now.
    pub fn defer(&mut self, id: ConnId) -> Result<(), SendError> {
        let defer = |conn: &mut Conn, cx: &mut Context| match cx.pending.opening == Some(cx.id) {
            true => conn.defer(cx),
            false => Err(OutOfMemory),
        };
        Ok(self.with_known(id, defer).unwrap_or(Err(OutOfMemory))?)
    }

    /// Takes back what [`Engine::defer`] has done, before the next event.
    pub fn undefer(&mut self, id: ConnId) {
        self.with_known(id, |conn, cx| {
            if cx.pending.opening == Some(cx.id) && conn.standing == Standing::Deferred {
                conn.standing = Standing::Asking;
            }
        });
    }

    /// Whether this is the id of a connection that was accepted, or of a request that is to be decided on, whose end was
    /// not told.
    pub fn is_known(&self, id: ConnId) -> bool {
        self.known(id).is_some()
    }

    /// The time as answers have it that are given now: the value of Date (RFC 9110 6.6.1).
    pub fn date(&mut self) -> &str {
        self.cx.date.now()
    }

    /// The address of a client, where it is known.
    pub fn address(&self, id: ConnId) -> Option<IpAddr> {
        self.cx.peers.get(self.resolve(id)?.index())
    }

    /// Serves a connection that somebody else has accepted, and has read these bytes from. A watch of the socket by
    /// [`Engine::watch`] ends. Where it cannot be served, the socket is given back: where there are as many connections as
    /// may be, no memory, or the server is to end, or the poll does not take it.
    pub fn adopt(&mut self, socket: OwnedFd, read: &[u8]) -> Result<(), OwnedFd> {
        let fd = socket.as_raw_fd();
        let Some(id) = self.conns.next_id().filter(|_| !self.cx.lifecycle.is_ending()) else {
            return Err(socket);
        };
        let Ok(partial) = self.cx.inbox.partials.keep_copy(read, false, &mut self.cx.memory) else {
            return Err(socket);
        };
        self.reactor.unwatch(fd);
        let own = &mut self.cx.descriptors;
        let is_watched = self.reactor.register(fd, id, Interest::Read, own).is_ok();
        if !is_watched || sys::adopt(&socket).is_err() {
            if is_watched {
                let _ = self.reactor.deregister(fd, own);
            }
            self.cx.inbox.partials.drop(&mut Some(partial), &mut self.cx.memory);
            return Err(socket);
        }
        self.cx.peers.set(id.index(), sys::peer_address(&socket));
        let mut conn = Conn::new(Transport::Plain(socket.into()), false);
        (conn.partial, conn.has_rest) = (Some(partial), true);
        self.conns.insert(conn);
        self.with(id, |conn, cx| {
            // What was read has come by now: who speaks at once is not silent.
            conn.received_at = cx.clock.loop_time().nanos();
            cx.wants.deadline(Kind::Handshake);
            cx.wants.turn();
        });
        Ok(())
    }

    /// The id of the connection that this one names, or that makes the request that it names.
    pub(super) fn resolve(&self, id: ConnId) -> Option<ConnId> {
        let (own, conn) = self.conns.at(id)?;
        (own == id || self.is_request_of(conn, id)).then_some(own)
    }

    /// Whether this is the id of a request of this connection.
    fn is_request_of(&self, conn: &Conn, id: ConnId) -> bool {
        let generation = conn.exchange.and_then(|key| self.cx.exchanges[key].generation);
        generation == Some(id.generation())
    }

    /// The connection that the caller knows by this id, its own or its request's, and its own id.
    #[inline(always)]
    pub(super) fn known(&self, id: ConnId) -> Option<(ConnId, &Conn)> {
        let (own, conn) = self.conns.at(id)?;
        let is_known = match own == id {
            true => conn.is_known_as(own, &self.cx),
            false => self.is_request_of(conn, id),
        };
        is_known.then_some((own, conn))
    }

    /// Acts on the connection that the caller knows by this id.
    pub(super) fn with_known<R>(
        &mut self,
        id: ConnId,
        act: impl FnOnce(&mut Conn, &mut Context) -> R,
    ) -> Option<R> {
        let (own, _) = self.known(id)?;
        self.with(own, act)
    }
}
