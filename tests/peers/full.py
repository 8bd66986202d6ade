"""Compression, sub-protocols and long messages, by Python's websockets.

    full.py SOCKET

A line "ok: NAME" for each scenario; a deviation from what must come ends it with a traceback. The server is
tests/c/beyond.c, which speaks chat.v2 and chat.v1, compresses, and takes four mebibytes.
"""

import asyncio
import sys

from websockets.asyncio.client import unix_connect
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

LIMIT = 30  # seconds for anything that must come: generous, for busy machines
TEXT = "Gr\u00fc\u00dfe, \U0001f42d! " * 20000


def visit(**more):
    options = dict(uri="ws://localhost/chat", open_timeout=LIMIT, close_timeout=LIMIT, max_size=None)
    return unix_connect(sys.argv[1], **(options | more))


async def within(event):
    return await asyncio.wait_for(event, LIMIT)


async def echo(websocket, message):
    await within(websocket.send(message))
    answer = await within(websocket.recv())
    assert answer == message, f"{answer[:100]!r} instead of {message[:100]!r}"


async def go_through(websocket):
    for length in [0, 1, 63, 64, 125, 126, 65535, 65536, 200000]:
        await echo(websocket, TEXT[:length])
        await echo(websocket, TEXT.encode()[:length])
    for number in range(200):
        await echo(websocket, f"a message like the one before it, but for its number: {number}")


async def compression():
    variants = [{}] + [{f"{side}_no_context_takeover": True} for side in ["server", "client"]]
    variants += [{"server_max_window_bits": bits} for bits in range(9, 16)]
    variants += [{"client_max_window_bits": bits} for bits in [True, 9, 12, 15]]
    for variant in variants:
        extensions = [ClientPerMessageDeflateFactory(**variant)]
        async with visit(compression=None, extensions=extensions) as websocket:
            (agreed,) = websocket.protocol.extensions
            assert agreed.remote_no_context_takeover and agreed.local_no_context_takeover, agreed
            bits = variant.get("server_max_window_bits", 15)
            assert agreed.remote_max_window_bits == bits, agreed
            await go_through(websocket)


async def none():
    async with visit(compression=None) as websocket:
        assert websocket.protocol.extensions == []
        await go_through(websocket)


async def protocols():
    for offers, chosen in [
        (["chat.v1"], "chat.v1"),
        (["chat.v1", "chat.v2"], "chat.v2"),
        (["mqtt", "chat.v1"], "chat.v1"),
        (["mqtt"], None),
        (None, None),
    ]:
        async with visit(subprotocols=offers) as websocket:
            assert websocket.subprotocol == chosen, websocket.subprotocol
            await within(websocket.send("!protocol 0"))
            assert await within(websocket.recv()) == f"[{chosen or ''}]"


async def long():
    async with visit() as websocket:
        for length in [1 << 20, (4 << 20) - 1, 4 << 20]:
            await echo(websocket, "x" * length)
            await echo(websocket, bytes(index % 251 for index in range(length)))
        await within(websocket.send("x" * ((4 << 20) + 1)))
        try:
            await within(websocket.recv())
        except ConnectionClosed as closed:
            assert closed.rcvd.code == 1009, closed


async def fragments():
    async with visit() as websocket:

        async def parts():
            for number in range(100):
                yield f"part {number} of a message; "
                if number % 10 == 0:
                    await within(await websocket.ping(b"between"))

        await within(websocket.send(parts()))
        wanted = "".join([f"part {number} of a message; " for number in range(100)])
        assert await within(websocket.recv()) == wanted


async def reasons():
    async with visit() as websocket:
        await within(websocket.send("!closecode 0 4001 Gr\u00fc\u00dfe"))
        try:
            message = await within(websocket.recv())
            raise AssertionError(message)
        except ConnectionClosed as closed:
            assert (closed.rcvd.code, closed.rcvd.reason) == (4001, "Gr\u00fc\u00dfe"), closed


async def main():
    for scenario in [compression, none, protocols, long, fragments, reasons]:
        print(f"begin: {scenario.__name__}", flush=True)
        await scenario()
        print(f"ok: {scenario.__name__}", flush=True)


asyncio.run(main())
