"""The list of scenarios, by Python's websockets.

    client.py ws://ADDRESS/ws             goes through the list
    client.py ws://ADDRESS/ws CUT         vanishes when that much of a message is sent

A line "ok: NAME" for each scenario, at the end one that tells how many connections there were; a deviation from what
must come ends it with a traceback. The server is tests/c/probe.c behind nginx.
"""

import asyncio
import os
import signal
import socket
import sys
import urllib.parse

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

URL = sys.argv[1]
LIMIT = 30  # seconds for anything that must come: generous, for busy machines
LONGEST = 65535
PATTERN = "abcdefghijklmnopqrstuvwxyz" * 10000

connections = 0


async def within(event):
    return await asyncio.wait_for(event, LIMIT)


class Visitor:
    """One connection, as a client that asserts what it receives."""

    @classmethod
    async def connect(cls):
        global connections
        connections += 1
        self = cls()
        self.websocket = await connect(URL, open_timeout=LIMIT, close_timeout=LIMIT, proxy=None)
        return self

    async def send(self, message):
        await within(self.websocket.send(message))

    async def expect(self, wanted):
        message = await within(self.websocket.recv())
        assert message == wanted, f"{message[:100]!r} instead of {wanted[:100]!r}"

    async def echo(self, message):
        await self.send(message)
        await self.expect(message)

    async def ask(self, question):
        await self.send(question)
        answer = await within(self.websocket.recv())
        assert isinstance(answer, str), f"{answer!r} is no answer to {question}"
        return answer

    async def expect_end(self):
        """Returns the server's close frame, or None where there was none."""
        try:
            message = await within(self.websocket.recv())
        except ConnectionClosed as closed:
            await within(self.websocket.wait_closed())
            return closed.rcvd
        raise AssertionError(f"{message[:100]!r} instead of the end")

    async def expect_close(self, code):
        close = await self.expect_end()
        assert close is not None and close.code == code, f"{close} instead of {code}"

    async def close(self, code, reason=""):
        await within(self.websocket.close(code, reason))
        await self.expect_close(code)

    async def leave(self):
        await self.close(1001)


async def text():
    visitor = await Visitor.connect()
    for message in ["hello", "a", "Grüße, \U0001f42d!", "\0 and \U0010ffff"]:
        await visitor.echo(message)
    await visitor.leave()


async def binary():
    visitor = await Visitor.connect()
    await visitor.echo(bytes(range(256)))
    await visitor.echo(b"\xff\xfe")
    await visitor.leave()


async def empty():
    visitor = await Visitor.connect()
    await visitor.send("")
    await visitor.expect("empty 0")
    await visitor.send(b"")
    await visitor.expect("empty 1")
    await visitor.leave()


async def long():
    visitor = await Visitor.connect()
    for length in [125, 126, 127, LONGEST - 1, LONGEST]:
        await visitor.echo("x" * length)
        await visitor.echo(bytes(index % 251 for index in range(length)))
    await visitor.leave()


async def too_long():
    witness, visitor = await Visitor.connect(), await Visitor.connect()
    await visitor.send(bytes(LONGEST + 1))
    await visitor.expect_close(1009)
    await witness.echo("as ever")
    await witness.leave()


async def fragment():
    witness, visitor = await Visitor.connect(), await Visitor.connect()

    async def parts():
        yield "a part"
        await visitor.expect_close(1003)

    try:
        await visitor.send(parts())
    except ConnectionClosed:
        pass
    assert visitor.websocket.close_code == 1003, visitor.websocket.close_code
    await witness.echo("as ever")
    await witness.leave()


async def in_parts():
    visitor = await Visitor.connect()
    for length in [LONGEST + 1, 200000]:
        await visitor.send(f"!write 0 1 {length} 1")
        await visitor.expect(PATTERN[:length].encode())
        await visitor.expect(f"0 {-(-length // LONGEST)}")
    await visitor.leave()


async def pings():
    visitor = await Visitor.connect()
    for payload in [b"", b"p", b"x" * 125]:
        await within(await visitor.websocket.ping(payload))
    # A pong answers the pings before its own as well: what counts is that the last one comes.
    burst = [await visitor.websocket.ping(bytes([number])) for number in range(5)]
    await within(asyncio.gather(*burst))
    await visitor.echo("as ever")
    await visitor.websocket.pong(b"unasked")
    await visitor.echo("as ever")
    answer = await visitor.ask("!reads 0")
    assert answer == "3", f"{answer} messages: pings are none"
    await visitor.leave()


async def client_closes():
    for code, reason in [(1000, ""), (3001, "bye"), (4999, "Grüße")]:
        visitor = await Visitor.connect()
        await visitor.echo("hello")
        await visitor.close(code, reason)


async def server_closes():
    visitor = await Visitor.connect()
    await visitor.send("!last goodbye")
    await visitor.expect("goodbye")
    await visitor.expect_close(1000)


async def server_cuts():
    visitor = await Visitor.connect()
    await visitor.send("!close 0 1")
    close = await visitor.expect_end()
    assert close is None, close


async def two_hundred():
    visitors = await asyncio.gather(*(Visitor.connect() for _ in range(200)))

    async def play(index, visitor):
        for number in range(5):
            await visitor.echo(f"{index} in round {number}")

    await asyncio.gather(*(play(*each) for each in enumerate(visitors)))
    await visitors[0].send("!broadcast 0 3 1")
    for visitor in visitors:
        await visitor.expect("abc")
    await visitors[0].expect("0 200")
    await asyncio.gather(*(visitor.leave() for visitor in visitors))


async def in_mid_message():
    global connections
    witness = await Visitor.connect()
    for cut in [1, 3, 12, 40000]:
        connections += 1
        child = await asyncio.create_subprocess_exec(sys.executable, __file__, URL, str(cut))
        status = await within(child.wait())
        assert status == -signal.SIGKILL, f"{status} of the one who vanishes after {cut} bytes"
        await witness.echo("as ever")
    await witness.leave()


async def vanish(cut):
    visitor = await Visitor.connect()
    await visitor.echo("hello")
    frame = b"\x82\xff" + LONGEST.to_bytes(8, "big") + bytes(4 + LONGEST)
    visitor.websocket.transport.write(frame[:cut])
    os.kill(os.getpid(), signal.SIGKILL)


def unread():
    """A TCP connection that is upgraded and not read behind that, and its number."""
    global connections
    connections += 1
    address = urllib.parse.urlsplit(URL)
    stream = socket.create_connection((address.hostname, address.port), LIMIT)
    stream.sendall(
        b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        b"\x81\x83\0\0\0\0!id"
    )
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += stream.recv(1)
    assert answer.startswith(b"HTTP/1.1 101 "), answer
    _, length = stream.recv(1), stream.recv(1)[0]
    return stream, int(b"".join(stream.recv(1) for _ in range(length)))


async def never_reads():
    count, window = 10000, 100
    commander, reader = await Visitor.connect(), await Visitor.connect()
    stuck, number = unread()

    def messages(first, last):
        # A message is known by its length: a thousand go by before the same one comes again.
        return (PATTERN[: 1024 + index % 997] for index in range(first, last))

    async def read():
        for message in messages(0, count):
            await reader.expect(message)

    reading = asyncio.create_task(read())
    for start in range(0, count, window):
        for message in messages(start, start + window):
            await commander.send(f"!broadcast 0 {len(message)} 1")
        for message in messages(start, start + window):
            await commander.expect(message)
            await commander.expect("0 3")
    await reading
    queued = int(await commander.ask(f"!qlen {number}"))
    assert queued > count / 2, f"{queued}: the rest is in sockets"
    await commander.echo("as ever")
    await commander.send(f"!close {number} 1")
    await commander.expect("closed")
    assert await commander.ask(f"!qlen {number}") == "0"
    stuck.close()
    await commander.leave()
    await reader.leave()


SCENARIOS = [
    two_hundred,  # first: all who are there are its own
    text,
    binary,
    empty,
    long,
    too_long,
    fragment,
    in_parts,
    pings,
    client_closes,
    server_closes,
    server_cuts,
    in_mid_message,
    never_reads,
]


async def main():
    for scenario in SCENARIOS:
        print(f"begin: {scenario.__name__}", flush=True)
        await asyncio.wait_for(scenario(), 4 * LIMIT)
        print(f"ok: {scenario.__name__}", flush=True)
    print(f"connections: {connections}")


asyncio.run(main() if len(sys.argv) == 2 else vanish(int(sys.argv[2])))
