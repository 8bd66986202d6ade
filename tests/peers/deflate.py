"""Compressed messages, frame by frame, against what zlib says of them (RFC 7692).

    deflate.py SOCKET LIMIT       goes through the list

LIMIT is the longest message that the server takes. A line "ok: NAME" for each scenario; a deviation from what must come
ends it with a traceback. The server is tests/c/beyond.c.
"""

import random
import socket
import struct
import sys
import zlib

SOCKET, LIMIT = sys.argv[1], int(sys.argv[2])
TAIL = b"\0\0\xff\xff"
TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10
AGREED = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
RSV1 = 0x40


class Client:
    def __init__(self, offer, agreed=""):
        self.stream = socket.socket(socket.AF_UNIX)
        self.stream.settimeout(30)
        self.stream.connect(SOCKET)
        self.stream.sendall(
            b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Extensions: " + offer.encode() + b"\r\n\r\n"
        )
        self.input = b""
        while b"\r\n\r\n" not in self.input:
            self.fill()
        head, self.input = self.input.split(b"\r\n\r\n", 1)
        assert f"Sec-WebSocket-Extensions: {AGREED}{agreed}".encode() in head.split(b"\r\n"), head

    def fill(self):
        got = self.stream.recv(1 << 20)
        assert got, "the end came too early"
        self.input += got

    def take(self, count):
        while len(self.input) < count:
            self.fill()
        taken, self.input = self.input[:count], self.input[count:]
        return taken

    def send(self, first, payload):
        length = len(payload)
        if length < 126:
            header = struct.pack("!BB", first, 0x80 | length)
        elif length < 65536:
            header = struct.pack("!BBH", first, 0xFE, length)
        else:
            header = struct.pack("!BBQ", first, 0xFF, length)
        try:
            self.stream.sendall(header + bytes(4) + payload)
        except (BrokenPipeError, ConnectionResetError):
            pass  # what the server says is read later

    def frame(self):
        first, length = self.take(2)
        if length == 126:
            (length,) = struct.unpack("!H", self.take(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self.take(8))
        return first, self.take(length)

    def message(self):
        """The next message: its kind, whether it is compressed, and its bytes as they came."""
        first, payload = self.frame()
        kind, compressed = first & 15, bool(first & RSV1)
        while not first & 0x80:
            first, more = self.frame()
            assert first & 0x7F == CONTINUATION, first
            payload += more
        return kind, compressed, payload

    def expect(self, kind, wanted, bits=15):
        found, compressed, payload = self.message()
        assert found == kind, found
        assert compressed == (len(wanted) >= 64), f"{len(wanted)} bytes, compressed: {compressed}"
        got = inflate(payload, bits) if compressed else payload
        assert got == wanted, f"{got[:100]!r} instead of {wanted[:100]!r}"

    def expect_close(self, code):
        first, payload = self.frame()
        assert first == 0x80 | CLOSE and payload[:2] == struct.pack("!H", code), (first, payload)


def inflate(payload, bits):
    """All at once. With a small window byte by byte: else zlib looks back into what it has just put out."""
    inflater = zlib.decompressobj(-bits)
    if bits == 15:
        return inflater.decompress(payload + TAIL)
    out, rest = [], payload + TAIL
    while True:
        byte = inflater.decompress(rest[:64], 1)
        rest = inflater.unconsumed_tail + rest[64:]
        if not byte and not rest:
            return b"".join(out)
        out.append(byte)


def deflate(message, level=6, bits=15, flush=zlib.Z_SYNC_FLUSH, strategy=zlib.Z_DEFAULT_STRATEGY):
    deflater = zlib.compressobj(level, zlib.DEFLATED, -bits, 8, strategy)
    out = deflater.compress(message) + deflater.flush(flush)
    if flush == zlib.Z_FINISH:
        return out + b"\0"  # RFC 7692 7.2.3.5
    assert out.endswith(TAIL)
    return out[:-4]


def samples():
    noise = random.Random(1)
    words = [b"chat", b"message", b"websocket", b"\xc3\xa9t\xc3\xa9", b"1234567890"]
    yield TEXT, b" ".join(noise.choice(words) for _ in range(3000))
    yield BINARY, noise.randbytes(10000)
    yield BINARY, bytes(5000)
    # What comes again is as far away as a window is wide, and a little more and less.
    for distance in [249, 250, 251, 255, 256, 257, 511, 512, 513]:
        block = noise.randbytes(distance)
        yield BINARY, block * (4000 // distance)
    yield TEXT, b"x" * 63
    yield TEXT, b"x" * 64
    yield TEXT, b""


def windows_of_ours():
    for bits in range(8, 16):
        offer = f"; server_max_window_bits={bits}"
        client = Client("permessage-deflate" + offer, offer)
        for kind, message in samples():
            client.send(0x80 | kind, message)
            client.expect(kind, message, bits)


def windows_of_theirs():
    for bits in range(9, 16):
        offer = f"; client_max_window_bits={bits}"
        client = Client("permessage-deflate" + offer, offer)
        for kind, message in samples():
            client.send(0x80 | RSV1 | kind, deflate(message, 9, bits))
            client.expect(kind, message)


def every_way_to_compress():
    client = Client("permessage-deflate")
    strategies = [zlib.Z_DEFAULT_STRATEGY, zlib.Z_HUFFMAN_ONLY, zlib.Z_FIXED, zlib.Z_RLE]
    for kind, message in samples():
        for level in [0, 1, 9]:
            for flush in [zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_FINISH]:
                for strategy in strategies:
                    client.send(0x80 | RSV1 | kind, deflate(message, level, 15, flush, strategy))
                    client.expect(kind, message)


def several_blocks():
    """A compressor that flushes in the middle, and one that ends in the middle."""
    client = Client("permessage-deflate")
    deflater = zlib.compressobj(6, zlib.DEFLATED, -15)
    parts = [b"one " * 100, b"two " * 100, b"three " * 100]
    out = b"".join(deflater.compress(part) + deflater.flush(zlib.Z_SYNC_FLUSH) for part in parts)
    client.send(0x80 | RSV1 | TEXT, out[:-4])
    client.expect(TEXT, b"".join(parts))


def fragments():
    client = Client("permessage-deflate")
    message = b"a message in many fragments, " * 5000
    out = deflate(message)
    for size in [1, 7, 100, len(out) - 1]:
        cuts = [out[at : at + size] for at in range(0, len(out), size)]
        client.send(RSV1 | TEXT, cuts[0])
        for cut in cuts[1:]:
            client.send(CONTINUATION, cut)
        client.send(0x80 | PING, b"between")
        assert client.frame() == (0x80 | PONG, b"between")
        client.send(0x80 | CONTINUATION, b"")
        client.expect(TEXT, message)


def no_takeover():
    """What comes twice is compressed as if it came for the first time, in both directions."""
    client = Client("permessage-deflate")
    message = random.Random(2).randbytes(1000).hex().encode()
    lengths = set()
    for _ in range(20):
        client.send(0x80 | RSV1 | TEXT, deflate(message))
        kind, compressed, payload = client.message()
        assert kind == TEXT and compressed and inflate(payload, 15) == message
        lengths.add(len(payload))
    assert len(lengths) == 1, lengths


def the_limit():
    message = random.Random(3).randbytes(LIMIT)
    client = Client("permessage-deflate")
    client.send(0x80 | RSV1 | BINARY, deflate(message))
    client.expect(BINARY, message)
    for longer in [message + b"x", bytes(LIMIT + 1)]:
        client = Client("permessage-deflate")
        client.send(0x80 | RSV1 | BINARY, deflate(longer))
        client.expect_close(1009)


def bombs():
    """T19: a thousand times as long as it looks, whole and in fragments, of zeros and of many blocks."""
    bomb = deflate(bytes(200_000_000), 9)
    blocks = (deflate(bytes(100_000), 9) + TAIL) * 2000
    for payload in [bomb, blocks[:-4]]:
        client = Client("permessage-deflate")
        client.send(0x80 | RSV1 | BINARY, payload)
        client.expect_close(1009)
        client = Client("permessage-deflate")
        client.send(RSV1 | BINARY, payload[:1000])
        for at in range(1000, len(payload), 1000):
            client.send(CONTINUATION, payload[at : at + 1000])
        client.send(0x80 | CONTINUATION, b"")
        client.expect_close(1009)


def damage():
    """T20: whatever a bit is turned into, the answer is a message or 1007, and the server goes on."""
    noise = random.Random(4)
    message = b"the quick brown fox jumps over the lazy dog. " * 20
    out = deflate(message)
    for _ in range(500):
        damaged = bytearray(out)
        for _ in range(noise.randrange(1, 4)):
            damaged[noise.randrange(len(out))] ^= 1 << noise.randrange(8)
        client = Client("permessage-deflate")
        client.send(0x80 | RSV1 | BINARY, bytes(damaged))
        first, payload = client.frame()
        if first & 15 == CLOSE:
            assert payload[:2] == struct.pack("!H", 1007), payload
    client = Client("permessage-deflate")
    client.send(0x80 | RSV1 | TEXT, out)
    client.expect(TEXT, message)


for scenario in [
    windows_of_ours,
    windows_of_theirs,
    every_way_to_compress,
    several_blocks,
    fragments,
    no_takeover,
    the_limit,
    bombs,
    damage,
]:
    print(f"begin: {scenario.__name__}", flush=True)
    scenario()
    print(f"ok: {scenario.__name__}", flush=True)
