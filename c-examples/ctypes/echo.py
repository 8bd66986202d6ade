"""echo.py: a WebSocket server in Python, by ctypes and libdorrit(3) alone.

    python3 echo.py -l /tmp/echo.socket

What one client says all clients hear. The library has the network and the protocol;
the program waits for its descriptor, so that signals and Ctrl-C are Python's.
"""

import ctypes
import ctypes.util
import os
import select
import signal
import sys

# $LIBDORRIT is for a library that is not installed where the loader looks.
LIBRARY = os.environ.get("LIBDORRIT") or ctypes.util.find_library("dorrit") or "libdorrit.so.3"
ws = ctypes.CDLL(LIBRARY)

# The functions of dorrit.h that are used here. A handle is a number to Python.
Handle = ctypes.c_void_p
ws.ws_begin.argtypes = [ctypes.c_int, ctypes.POINTER(ctypes.c_char_p)]
ws.ws_send.argtypes = [
    ctypes.POINTER(Handle), ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t
]
ws.ws_send.restype = ctypes.c_long


class Callbacks(ctypes.Structure):
    """struct ws_callbacks: its fields have the order of the header's. NULL is one left out."""

    INIT = ctypes.CFUNCTYPE(None)
    OPEN = ctypes.CFUNCTYPE(ctypes.c_int, Handle, ctypes.c_char_p)
    READ = ctypes.CFUNCTYPE(None, Handle, ctypes.c_int, ctypes.c_int, ctypes.POINTER(ctypes.c_char))
    CLOSE = ctypes.CFUNCTYPE(None, Handle)

    _fields_ = [
        ("init", INIT),
        ("exit", INIT),
        ("open", OPEN),
        ("read", READ),
        ("close", CLOSE),
    ]


clients = set()


def send(handles, message, binary=False):
    """Queues a message, bytes, for all of these."""
    array = (Handle * len(handles))(*handles)
    return ws.ws_send(array, len(handles), binary, message, len(message))


# An exception that leaves a callback goes no further: ctypes prints it, and the callback returns 0.


def on_open(conn, cookie):
    clients.add(conn)
    return 0  # anything else refuses the client


def on_read(conn, binary, length, buffer):
    message = buffer[:length]  # a copy, as bytes: the buffer is the library's
    send(clients, message, binary)


def on_close(conn):
    clients.discard(conn)


# What is called from C must not be collected: this keeps it.
callbacks = Callbacks(
    Callbacks.INIT(lambda: None),
    Callbacks.INIT(lambda: None),
    Callbacks.OPEN(on_open),
    Callbacks.READ(on_read),
    Callbacks.CLOSE(on_close),
)


def main(arguments):
    # The library knows by the size that the callbacks behind these are left out.
    if ws.ws_set_callbacks(ctypes.byref(callbacks), ctypes.c_size_t(ctypes.sizeof(callbacks))) != 0:
        return 1
    argv = (ctypes.c_char_p * (len(arguments) + 1))(*map(os.fsencode, arguments), None)
    status = ws.ws_begin(len(arguments), argv)
    if status != 0 or ws.ws_get_fd() == -1:  # --help and --version are answered, and there is no server
        return status

    # It may be called at any time: ws_step() returns 0 when the clients are gone.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ws.ws_stop())

    ready = select.poll()
    ready.register(ws.ws_get_fd(), select.POLLIN)
    while ws.ws_step(0) == 1:
        # Asked for anew each time: what was just done may have changed it.
        ready.poll(ws.ws_get_timeout())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
