/*
 * dorrit.h - libdorrit(8): a WebSocket server as four functions.
 *
 * This is the older interface, for programs that were written to it; a new one is better served by
 * libdorrit(3). The library has main(), the network and RFC 6455. The program defines the four
 * functions whose names end in _func and _callback, and links with -ldorrit-classic. The library calls
 * them, and they call it, on one thread. Any of them may call any function of the library; from
 * another thread, and from a signal handler, none may be called. All other global names that begin
 * with ws_ belong to the library. See libdorrit-classic(3).
 *
 * SPDX-License-Identifier: BSD-3-Clause
 * Generated from crates/classic/src/ by the build: changes belong there.
 */

#ifndef DORRIT_H
#define DORRIT_H


/* The version of the library that this header belongs to. */
#define DORRIT_VERSION "3.0.0"
#define DORRIT_VERSION_MAJOR 3
#define DORRIT_VERSION_MINOR 0
#define DORRIT_VERSION_PATCH 0

/* What a program defines must be seen by the library, whatever -fvisibility says. */
#if defined(__GNUC__)
#pragma GCC visibility push(default)

/* By this the library knows that a program was compiled with this header. */
__attribute__((weak)) char ws_header_classic = 1;
#endif

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The path given with the option `-f`, made absolute; NULL where there is none. It belongs to
 * the library and lives as long as the server.
 */
extern char *ws_config_file;

/**
 * Called once, after the command line was read: `ws_config_file` is set. The standard streams
 * are still the terminal's, and where the server was started as root it is still root. Nothing
 * listens yet. It is called anew where the server starts itself anew after a crash. Threads that
 * are started here do not exist in a daemon, and locks of files are lost: it is a child of this one.
 */
extern void ws_init_func(void);

/**
 * Optional: a program may leave it out. Called once, when the server stops on SIGTERM (or, in
 * the foreground, on SIGINT), after the last `ws_close_callback()`.
 */
extern void ws_exit_func(void);

/**
 * Called when a client asks for a connection.
 *
 * `conn` names the connection in all other calls. It is a value, not an address, and good until
 * `ws_close_callback()` has returned for it; afterwards it is recognised and does nothing.
 *
 * The strings end with a zero byte, are never NULL, belong to the library and live until this
 * function returns. With the option `-h`, `cookie` is the value of the request's Cookie header
 * ("" where there is none, several joined by "; "), and the others are "". Without it, `cookie`
 * is "", `hostname` is the host that the client asked for, without a port, and `protocol` the
 * sub-protocol, which is the first that the client offers, or "".
 *
 * Return 0 to accept the connection. Any other value refuses it: the client is answered 403,
 * what was queued for it is thrown away, and `ws_close_callback()` does not follow. What is
 * queued here with `ws_write_conn()` is sent first, behind the answer to the request (RFC 6455
 * 4.2.2).
 */
extern int ws_open_callback(void *conn, char *cookie, char *hostname, char *protocol);

/**
 * Called once for each complete message from a client, unframed and unmasked; fragments are
 * joined. It is text, valid UTF-8 (RFC 6455 5.6).
 *
 * `len` is the payload's length in bytes, from 0 to the buffer size less 5 (option `-b`).
 * `buffer` holds the payload, and a zero byte at `buffer[len]`. It belongs to the library, and
 * keeps what it holds until the next message of this connection or its end. The program may
 * write into these `len` bytes.
 */
extern void ws_read_callback(void *conn, int len, char *buffer);

/**
 * Called once for each connection that was accepted, when it has ended, whoever ended it; also
 * for those that are open when the server stops. It is never called from within another callback
 * or from within a function of the library.
 *
 * `conn` is good until this function returns; nothing can be sent on it any more. Free here what
 * `ws_set_data()` has put with it.
 */
extern void ws_close_callback(void *conn);

/**
 * Names the server. To be called in `ws_init_func()`; elsewhere it does nothing.
 *
 * `name` is copied. It must be a file's name, without '/' and of at most 255 bytes. It identifies
 * lines in the log, those of the program's own syslog(3) too; the pidfile is
 * `/var/run/<name>.pid` and the default socket `/var/run/<name>.socket`. Without it the name is
 * "server" and the default socket `/var/run/dorrit.socket`.
 */
void ws_set_name(const char *name);

/**
 * Has `func` called every so many `seconds`, once the server listens. They count from the moment at
 * which the last call was due; calls that were missed are left out.
 *
 * It may be called at any time; the function given last counts. NULL, or fewer than 1 second,
 * ends it.
 */
void ws_set_periodic(void (*func)(void), int seconds);

/**
 * Keeps a pointer with a connection, for `ws_get_data()`. What it points to remains the
 * program's, to be freed in `ws_close_callback()`.
 */
void ws_set_data(void *conn, void *data);

/**
 * Returns what `ws_set_data()` has put with a connection: NULL before the first call, and for a
 * connection that has ended.
 */
void *ws_get_data(void *conn);

/**
 * Returns how many frames are queued for a client and not yet written; 0 for a connection that
 * has ended. A number that keeps growing is that of a client which does not read: close it, or
 * queue nothing more for it.
 */
unsigned int ws_get_qlen(void *conn);

/**
 * Queues a text message for a connection.
 *
 * `conn` is its handle; NULL, and that of a connection that has ended or is being closed, is
 * passed over. `len` is the payload's length in bytes, at least 1; above the buffer size less 5
 * it is sent in fragments of at most that (RFC 6455 5.4). `data` must be UTF-8 (RFC 6455 5.6).
 * It is copied, and remains the program's; it needs no zero byte at its end.
 *
 * Returns 0 where the message is queued, -1 where there is no memory for it or more than 200
 * frames would wait for this connection (then nothing is queued, and the server goes on), -2
 * where `len` is less than 1 or `data` is NULL, -3 where another thread than the server's calls,
 * or a child process.
 */
int ws_write_conn(void *conn, int len, char *data);

/**
 * Closes a connection. `ws_close_callback()` follows, after the callback that is running has
 * returned.
 *
 * `force` nonzero closes it at once, and what is queued for it is thrown away. `force` 0 closes
 * it when its queue is written, with a close frame of code 1000 (RFC 6455 7.4.1); meanwhile
 * nothing more is read from the client.
 */
void ws_close_conn(void *conn, int force);

#ifdef __cplusplus
}
#endif

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif /* DORRIT_H */
