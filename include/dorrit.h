/*
 * dorrit.h - libdorrit(3): a WebSocket server as five functions.
 *
 * The library has main(), the network and RFC 6455. The program defines the five functions whose
 * names end in _func and _callback, and links with -ldorrit. The library calls them, and they call
 * it, on one thread. Any of them may call any function of the library; from another thread, and from
 * a signal handler, none may be called. All other global names that begin with ws_ belong to the
 * library. See libdorrit(3).
 *
 * SPDX-License-Identifier: BSD-3-Clause
 * Generated from src/ by the build: changes belong there.
 */

#ifndef DORRIT_H
#define DORRIT_H

#include <stddef.h>

/* The version of the library that this header belongs to. */
#define DORRIT_VERSION "3.0.0"
#define DORRIT_VERSION_MAJOR 3
#define DORRIT_VERSION_MINOR 0
#define DORRIT_VERSION_PATCH 0

/* What a program defines must be seen by the library, whatever -fvisibility says. */
#if defined(__GNUC__)
#pragma GCC visibility push(default)

/* By this the library knows that a program was compiled with this header. */
__attribute__((weak)) char ws_header_3 = 3;
#endif

/*
 * What messages are made of. Programs with these five functions whose buffers are plain char are compiled
 * with -DDORRIT_CHAR_BUFFERS: to the library it is the same.
 */
#ifdef DORRIT_CHAR_BUFFERS
typedef char ws_byte;
#else
typedef unsigned char ws_byte;
#endif

#ifdef __cplusplus
extern "C" {
#endif

/**
 * For `ws_set_queue_limit()`: the connection is closed, with code 1008.
 */
#define WS_QUEUE_CLOSE 0

/**
 * For `ws_set_queue_limit()`: the message is left out, for this connection alone, and
 * `ws_drain_callback()` follows when its queue is empty.
 */
#define WS_QUEUE_SKIP 1

/**
 * For `ws_get_stats()`: the server's figures, which count from its start where they do not say how it
 * is now. Later versions may have more at the end.
 */
struct ws_stats {
  /**
   * Connections that are open now.
   */
  unsigned long long connections;
  /**
   * Connections that were accepted.
   */
  unsigned long long accepted;
  /**
   * Requests that were answered 503, because there were as many connections as `-m` allows, or as
   * much memory was held as `--max-memory` does.
   */
  unsigned long long refused_full;
  /**
   * Requests that were no correct ones: answered 400, 405, 426 or 431.
   */
  unsigned long long refused_bad;
  /**
   * Requests that were not complete in time: answered 408.
   */
  unsigned long long refused_slow;
  /**
   * Requests that `ws_open_callback()` has refused, that came from another origin, or that could
   * not be dealt with for lack of memory or descriptors.
   */
  unsigned long long refused_program;
  /**
   * Messages that `ws_read_callback()` was called for.
   */
  unsigned long long messages_in;
  /**
   * Messages that were queued, once for each connection.
   */
  unsigned long long messages_out;
  /**
   * Bytes that came from clients, requests and headers of frames included.
   */
  unsigned long long bytes_in;
  /**
   * Bytes that were written to clients.
   */
  unsigned long long bytes_out;
  /**
   * Bytes that are queued now, for all connections together, as `ws_get_qbytes()` counts them.
   */
  unsigned long long queued_bytes;
  /**
   * Clients that were dropped because they broke the protocol.
   */
  unsigned long long dropped_violation;
  /**
   * Clients that were dropped because too much was queued for them: `WS_QUEUE_CLOSE`.
   */
  unsigned long long dropped_queue;
  /**
   * Clients that were dropped because they did not answer a ping.
   */
  unsigned long long dropped_silent;
  /**
   * Messages that were left out because too much was queued: `WS_QUEUE_SKIP`.
   */
  unsigned long long skipped;
  /**
   * Clients that were dropped because there was no memory for their message, or none at all and
   * they held most of it.
   */
  unsigned long long dropped_memory;
  /**
   * Bytes of memory that are held for clients now: what `--max-memory` limits.
   */
  unsigned long long held_bytes;
};

/**
 * The path given with the option `-f`, made absolute; NULL where there is none. It belongs to
 * the library and lives as long as the server.
 */
extern char *ws_config_file;

/**
 * Called once, after the command line was read: `ws_config_file` is set. The standard streams
 * are still the terminal's, and where the server was started as root it is still root. Nothing
 * listens yet. Do not register atexit(3) handlers here: see `ws_exit_func()`. Threads that are
 * started here do not exist in a daemon, and locks of files are lost: it is a child of this one.
 */
extern void ws_init_func(void);

/**
 * Called once, when the server stops on SIGTERM (or, in the foreground, on SIGINT), after the
 * last `ws_close_callback()`. Free here what the program has made.
 */
extern void ws_exit_func(void);

/**
 * Called when a client asks for a connection.
 *
 * `conn` names the connection in all other calls. It is a value, not an address, and good until
 * `ws_close_callback()` has returned for it; afterwards it is recognised and does nothing.
 *
 * `cookie` is the value of the request's Cookie header, ended by a zero byte: "" where there is
 * none, several joined by "; ". It is never NULL. It belongs to the library and lives until this
 * function returns.
 *
 * Return 0 to accept the connection. Any other value refuses it: the client is answered 403,
 * what was queued for it is thrown away, and `ws_close_callback()` does not follow. What is
 * queued here with `ws_write_conn()` is sent first, behind the answer to the request (RFC 6455
 * 4.2.2).
 */
extern int ws_open_callback(void *conn, char *cookie);

/**
 * Called once for each complete message from a client, unframed and unmasked.
 *
 * `binary` is nonzero for a binary message and 0 for text, which is valid UTF-8 (RFC 6455 5.6).
 * `len` is the payload's length in bytes, from 0 to the buffer size less 5 (option `-b`), or to
 * what `ws_set_max_message()` or the option `--max-message` allows.
 * `buffer` holds the payload, and a zero byte at `buffer[len]`. It belongs to the library and is
 * used again when this function has returned: copy what is to be kept. The program may write
 * into `buffer[0]` to `buffer[len - 1]`.
 */
extern void ws_read_callback(void *conn, int binary, int len, ws_byte *buffer);

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
 * Optional: a program may leave it out. Called when a connection's queue is empty, where since the
 * last such call `ws_get_qlen()` or `ws_get_qbytes()` has returned a number other than 0, a message
 * was left out (`WS_QUEUE_SKIP`), or some of the queue had to wait for the client to read. It is the
 * moment to queue more. It does not follow where the connection is being closed.
 */
extern void ws_drain_callback(void *conn);

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
 * queue nothing more for it. Where it is not 0, `ws_drain_callback()` follows when the queue is
 * empty, unless the connection is being closed.
 */
unsigned int ws_get_qlen(void *conn);

/**
 * Queues a message for each of `count` connections. It is framed and kept once, however many
 * they are.
 *
 * `conns` is an array of handles, of which NULL and those of connections that have ended or are
 * being closed are skipped; one that stands there twice is sent the message twice. `binary` nonzero
 * sends a binary message, 0 text, which must be UTF-8 (RFC 6455 5.6). `len` is the payload's length
 * in bytes, at least 1; above the buffer size less 5 it is sent in fragments of at most that
 * (RFC 6455 5.4). `data` is copied, and remains the program's; it needs no zero byte at its end.
 *
 * Returns 0 where the message is queued, -1 where there is no memory for it (then it is queued
 * for nobody, and the server goes on; a connection to which a part of it was sent is cut, and
 * `ws_close_callback()` follows), -2 where `len` is less than 1 or `data` is NULL, -3 where another
 * thread than the server's calls, or a child process.
 */
int ws_write_conn(void **conns, int count, int binary, unsigned int len, ws_byte *data);

/**
 * Queues a message for each of `count` connections, like `ws_write_conn()`, and may send an
 * empty one.
 *
 * `conns` and `count`, and `binary`, are as there. `data` is `len` bytes, copied, which remain
 * the program's; NULL where `len` is 0.
 *
 * Returns for how many connections it was queued: not those that have ended, are being closed,
 * or have as much queued as `ws_set_queue_limit()` allows. -1 where there is no memory for it, as
 * `ws_write_conn()`, -3 where another thread than the server's calls, or a child process.
 */
long ws_send(void *const *conns, int count, int binary, const void *data, size_t len);

/**
 * Returns how many bytes are queued for a client and not yet written, headers of frames
 * included; 0 for a connection that has ended. Where it is not 0, `ws_drain_callback()` follows
 * when the queue is empty, unless the connection is being closed.
 */
unsigned long ws_get_qbytes(void *conn);

/**
 * Closes a connection. `ws_close_callback()` follows, after the callback that is running has
 * returned.
 *
 * `force` nonzero closes it at once, and what is queued for it is thrown away. `force` 0 closes
 * it when its queue is written, with a close frame of code 1000 (RFC 6455 7.4.1); meanwhile
 * nothing more is read from the client.
 */
void ws_close_conn(void *conn, int force);

/**
 * Closes a connection when its queue is written, with this close frame. Nothing more is read
 * from the client, which has 5 seconds to answer.
 *
 * `code` is 1000 to 1003, 1007 to 1014 or 3000 to 4999 (RFC 6455 7.4); for any other 1000 is
 * sent, and a line in the log says so. `reason` is UTF-8 of at most 123 bytes, the rest of which
 * is cut off; it is copied. NULL is no reason.
 */
void ws_close_conn_code(void *conn, int code, const char *reason);

/**
 * Returns why a connection has ended; to be called in `ws_close_callback()`. It is the code of
 * the first close frame, the client's or ours: 1005 where that had none, 1006 where there was no
 * close frame (RFC 6455 7.4.1).
 */
int ws_get_close_code(void *conn);

/**
 * Takes messages of up to `bytes`, 1 to 1073741824, whatever the buffer size is, and joins those
 * that come in fragments (RFC 6455 5.4). The option `--max-message` has the last word.
 *
 * To be called in `ws_init_func()`. Returns 0, or -1 where the value cannot be, or elsewhere.
 */
int ws_set_max_message(unsigned int bytes);

/**
 * Compresses messages of 64 bytes and more for clients that offer it (RFC 7692), and takes
 * compressed ones from them. `level` is 1, the fastest, to 9, the smallest; 0, the default, is
 * off. The option `--compress` has the last word.
 *
 * To be called in `ws_init_func()`. Returns 0, or -1 where the value cannot be, or elsewhere.
 */
int ws_set_compression(int level);

/**
 * Chooses a sub-protocol for each client: the first of `list`, such as "chat, superchat", that
 * the client offers, or none. "*" chooses the first that it offers (RFC 6455 4.2.2).
 *
 * `list` is copied. To be called in `ws_init_func()`. Returns 0, or -1 where the list cannot be,
 * or elsewhere.
 */
int ws_set_protocols(const char *list);

/**
 * Answers 403 to requests from pages of other origins than these, such as "https://example.org,
 * https://www.example.org:8443" (RFC 6454 7.1, RFC 6455 10.2). The word "same" in the list stands
 * for the host and port that the request names itself. Requests without an Origin header come from
 * no page, and pass. The option `--origin` has the last word.
 *
 * `list` is copied. To be called in `ws_init_func()`. Returns 0, or -1 where the list cannot be,
 * or elsewhere.
 */
int ws_set_origins(const char *list);

/**
 * Sends a ping to a client from which nothing has come for `idle` seconds, and ends the
 * connection when nothing has come for `timeout` seconds more. Time in which the program holds the
 * server up does not count. `idle` 0 is never. The default is 50 and 20. The option `--ping` has
 * the last word.
 *
 * To be called in `ws_init_func()`. Returns 0, or -1 where the values cannot be, or elsewhere.
 */
int ws_set_ping(unsigned int idle, unsigned int timeout);

/**
 * Says how many `bytes` of memory what is queued for a connection may take, and by `policy` what
 * happens to a message that would be too much. A queue that is empty takes any message. The default
 * is 64 MiB and `WS_QUEUE_CLOSE`. The option `--max-queue` has the last word.
 *
 * To be called in `ws_init_func()`. Returns 0, or -1 where a value cannot be, or elsewhere.
 */
int ws_set_queue_limit(unsigned long bytes, int policy);

/**
 * Returns the value of a header of the request, `name` in any case; several lines are joined by
 * ", ". NULL where there is none, and outside `ws_open_callback()` for this connection.
 *
 * The string belongs to the library and lives until `ws_open_callback()` returns.
 */
const char *ws_get_header(void *conn, const char *name);

/**
 * Returns the target of the request as sent, such as "/path?query"; NULL outside
 * `ws_open_callback()` for this connection. The string belongs to the library and lives until
 * that returns.
 */
const char *ws_get_target(void *conn);

/**
 * Chooses a sub-protocol of those that the client offers, in the place of what
 * `ws_set_protocols()` has chosen. To be called in `ws_open_callback()`. Returns 0, or -1 where
 * the client does not offer it, or elsewhere.
 */
int ws_choose_protocol(void *conn, const char *name);

/**
 * Says with which status, 400 to 599, the client is answered where `ws_open_callback()` returns
 * nonzero, instead of 403. To be called there. Returns 0, or -1 where the status cannot be, or
 * elsewhere.
 */
int ws_set_status(void *conn, int status);

/**
 * Returns the sub-protocol of a connection, "" where it has none or has ended. The string
 * belongs to the library and lives as long as the connection.
 */
const char *ws_get_protocol(void *conn);

/**
 * Puts the server's figures into `stats`, of which `size` is the length in bytes: `sizeof *stats`.
 * A library that is older than the header leaves 0 where it knows no figure, and one that is newer
 * writes no more than `size`.
 *
 * Returns 0, -1 where `stats` is NULL, `size` is too small for a figure, or the server does not
 * listen yet, -3 where another thread than the server's calls, or a child process.
 */
int ws_get_stats(struct ws_stats *stats, size_t size);

#ifdef __cplusplus
}
#endif

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif /* DORRIT_H */
