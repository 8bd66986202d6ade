/*
 * dorrit.h - libdorrit(3): a WebSocket server as five functions.
 *
 * The library has main(), the network and RFC 6455. The program defines the five functions whose
 * names end in _func and _callback, and links with -ldorrit. The library calls them, and they call
 * it, on one thread. Any of them may call any function of the library; from another thread only
 * those may be called that say so, and from a signal handler only ws_stop(). All other global names
 * that begin with ws_ belong to the library. See libdorrit(3).
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
 * For `ws_watch()`: there is something to read, or its end.
 */
#define WS_READ 1

/**
 * For `ws_watch()`: there is room to write.
 */
#define WS_WRITE 2

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
   * Requests that were no correct ones: answered 400, 405, 413, 417, 426, 431 or 501.
   */
  unsigned long long refused_bad;
  /**
   * Requests that were not complete in time: answered 408.
   */
  unsigned long long refused_slow;
  /**
   * Requests for a connection that the program has refused, or has not decided on in time; requests that
   * came from another origin, or that could not be dealt with for lack of memory or descriptors.
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
  /**
   * Requests that asked for no upgrade, and were the program's or those of `-w` to answer.
   */
  unsigned long long requests;
};

/**
 * For `ws_set_callbacks()`: the functions of a program, each as the callback of that name. NULL is one that
 * the program leaves out. Later versions may have more at the end.
 *
 * An exception of C++ that leaves one of them passes through the library, but for `log`.
 */
struct ws_callbacks {
  /**
   * `ws_init_func()`.
   */
  void (*init)(void);
  /**
   * `ws_exit_func()`.
   */
  void (*exit)(void);
  /**
   * `ws_open_callback()`.
   */
  int (*open)(void *conn, char *cookie);
  /**
   * `ws_read_callback()`.
   */
  void (*read)(void *conn, int binary, int len, ws_byte *buffer);
  /**
   * `ws_close_callback()`.
   */
  void (*close)(void *conn);
  /**
   * `ws_drain_callback()`.
   */
  void (*drain)(void *conn);
  /**
   * `ws_start_callback()`.
   */
  int (*start)(void);
  /**
   * `ws_log_callback()`.
   */
  void (*log)(int priority, const char *line);
  /**
   * `ws_request_callback()`.
   */
  int (*request)(void *conn, const char *method, const char *target, size_t len, const unsigned char *body);
  /**
   * `ws_shutdown_callback()`.
   */
  void (*shutdown)(void *conn);
};

/**
 * The path given with the option `-f`, made absolute; NULL where there is none. It belongs to
 * the library and lives as long as the server.
 */
extern char *ws_config_file;

/**
 * What follows `--` on the command line, for the program: strings that end with a zero byte, and NULL
 * behind the last one. It is never NULL, belongs to the library, and lives as long as the server.
 */
extern char **ws_arguments;

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
 * was left out (`WS_QUEUE_SKIP`), or some of the queue had to wait for the client to read; or where
 * `ws_want_drain()` has asked for it. It is the moment to queue more. It does not follow where the connection is being closed.
 */
extern void ws_drain_callback(void *conn);

/**
 * Optional: a program may leave it out. Called once for each request that asks for no upgrade to
 * WebSocket, when it is complete. A program that has this function may leave `ws_open_callback()`,
 * `ws_read_callback()` and `ws_close_callback()` out, all three: requests for an upgrade are answered 426
 * then.
 *
 * `conn` names the request in `ws_get_header()`, `ws_get_address()`, `ws_set_header()`, `ws_set_body()` and
 * `ws_defer()`; it is good until this function returns, and no other request has the same one. `method`
 * and `target`, such as "/path?query", are as sent, and end with a zero byte. `body` has `len` bytes, and a
 * zero byte behind them; it is of at most as many as the option `--max-body` says, 65536. The strings and
 * the body belong to the library and live until this function returns.
 *
 * Return the status of the answer, 200 to 599 (RFC 9110 15); or 0 where the request is none of the
 * program's affair: it is answered with a page where the option `-w` is given, else 426. 0 also where
 * `ws_defer()` has put the decision off. For any other value the client is answered 500.
 *
 * The library sees to HEAD, Date and Content-Length, to `Expect: 100-continue`, to connections that are kept
 * for another request, and to requests that come before the last one was answered (RFC 9112 9.3).
 */
extern int ws_request_callback(void *conn, const char *method, const char *target, size_t len, const unsigned char *body);

/**
 * Optional: a program may leave it out. Called once, when the server is about to listen, in the
 * process that will: a daemon's, after root's privileges were given up. `ws_post()`, `ws_after()`
 * and `ws_watch()` work from here on, and threads may be started. No client was accepted yet, and
 * nobody was told that the server is ready. The standard streams are still the terminal's.
 *
 * Return 0 to go on. Any other value ends the start: the exit status is 1, the terminal is told,
 * a server that was to hand over stays, and `ws_exit_func()` is not called.
 */
extern int ws_start_callback(void);

/**
 * Optional: a program may leave it out. Called once for each connection that is open when the server stops,
 * before its close frame; or when it hands over to a new server, after which those who are there are served
 * for as long as the option `--drain` says. What is sent here reaches the client. It is not called for
 * connections that are being closed already.
 */
extern void ws_shutdown_callback(void *conn);

/**
 * Optional: a program may leave it out. Takes each line of the library's log, instead of standard
 * error and syslog(3).
 *
 * `priority` is one of syslog(3)'s, `LOG_ERR` to `LOG_DEBUG`. `line` ends with a zero byte, has no
 * newline, belongs to the library and lives until this function returns.
 *
 * It is called on whichever thread logs, never twice at a time, and never from within itself: what
 * it would have to tell then is lost, and counted. Of the library's functions it may call
 * `ws_post()` and `ws_stop()`; what the others do there is not defined. No exception may leave it.
 */
extern void ws_log_callback(int priority, const char *line);

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
 * Puts the server's figures into `stats`, of which `size` is the length in bytes: `sizeof *stats`.
 * A library that is older than the header leaves 0 where it knows no figure, and one that is newer
 * writes no more than `size`.
 *
 * Returns 0, -1 where `stats` is NULL, `size` is too small for a figure, or the server does not
 * listen yet, -3 where another thread than the server's calls, or a child process.
 */
int ws_get_stats(struct ws_stats *stats, size_t size);

/**
 * Returns the value of a header of the request, `name` in any case; several lines are joined by
 * ", ". NULL where there is none, and where the program does not decide on the request now.
 *
 * To be called in `ws_open_callback()` and `ws_request_callback()`, and after `ws_defer()` until the
 * decision. The string belongs to the library and lives until the callback returns, or after `ws_defer()`
 * until the decision.
 */
const char *ws_get_header(void *conn, const char *name);

/**
 * Returns the target of the request as sent, such as "/path?query"; NULL where the program does not
 * decide on the request now. It may be called where `ws_get_header()` may, and the string lives as
 * long as one of that function's.
 */
const char *ws_get_target(void *conn);

/**
 * Returns the address of the client, such as "192.0.2.7" or "2001:db8::1"; "" where it is not known, as
 * on a UNIX socket, and for a connection that has ended.
 *
 * It is the address at the other end of the socket, or where the options say so the one that a proxy
 * tells: `--proxy-protocol`, `--forwarded`. To be called on the server's thread. The string belongs to the
 * library and lives until `ws_close_callback()` has returned for the connection, or where that does not
 * follow until the callback of the request has.
 */
const char *ws_get_address(void *conn);

/**
 * Chooses a sub-protocol of those that the client offers, in the place of what
 * `ws_set_protocols()` has chosen. To be called in `ws_open_callback()`, and after `ws_defer()` until the
 * decision. Returns 0, or -1 where the client does not offer it, or elsewhere.
 */
int ws_choose_protocol(void *conn, const char *name);

/**
 * Says with which status, 300 to 599, the client is answered where `ws_open_callback()` returns
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
 * Adds a header line to the answer: to the one that accepts the connection (RFC 6455 4.2.2), or to any
 * other, such as Set-Cookie, WWW-Authenticate, Location or those of CORS. Each call adds a line.
 *
 * `name` and `value` are copied. To be called in `ws_open_callback()` and `ws_request_callback()`, and after
 * `ws_defer()` until the decision.
 *
 * Returns 0; -1 where the name is no token or the value has control characters such as CR and LF (RFC 9110
 * 5.1, 5.5), for what the library says itself (Connection, Upgrade, Keep-Alive, Proxy-Connection,
 * Sec-WebSocket-*, Content-Length, Transfer-Encoding, TE, Trailer, Date), for NULL, where there is no memory,
 * and elsewhere; -3 on another thread, or in a child process.
 */
int ws_set_header(void *conn, const char *name, const char *value);

/**
 * Sets the body of the answer to a request, in the place of what was set before; that of a connection that is
 * accepted has none. Without a Content-Type among the headers it is sent as text/plain in UTF-8.
 *
 * `data` is `len` bytes, copied, which remain the program's; NULL where `len` is 0. To be called where
 * `ws_set_header()` may. Returns 0; -1 where there is no memory, and elsewhere; -3 on another thread, or
 * in a child process.
 */
int ws_set_body(void *conn, const void *data, size_t len);

/**
 * Puts the decision on a request off: to be called in `ws_open_callback()` or `ws_request_callback()`, which
 * then returns 0. Later `ws_accept()` or `ws_respond()` decides, on the server's thread: another one gets
 * there by `ws_post()`. Where nobody has for as long as the option `--defer-timeout` says, 60 seconds, the
 * client is answered 503.
 *
 * Exactly one `ws_close_callback()` follows for `conn`: where `ws_accept()` has accepted the connection, at its
 * end; else once the answer is given, or the client has left. A client that has ended its side of the
 * stream counts as one that has left. Until the decision `ws_get_header()`, `ws_get_target()`,
 * `ws_choose_protocol()`, `ws_set_header()`, `ws_set_body()` and `ws_set_data()` work, and what is sent to a
 * connection meanwhile follows its acceptance. A callback that returns something else than 0 undoes it,
 * and `ws_close_callback()` does not follow.
 *
 * Returns 0; -1 where there is no memory, and elsewhere; -3 on another thread, or in a child process.
 */
int ws_defer(void *conn);

/**
 * Accepts a connection on which `ws_defer()` has put the decision off. To be called on the server's thread.
 *
 * Returns 0; -1 where that is not so: for a request that asks for no upgrade, where it was decided already, the
 * client has left, or there are as many connections as may be; -3 on another thread, or in a child process.
 */
int ws_accept(void *conn);

/**
 * Answers a request on which `ws_defer()` has put the decision off with this status, and with the headers and
 * the body that were set: 200 to 599, or where it asks for a connection, which is refused by that, 300 to
 * 599. To be called on the server's thread.
 *
 * Returns 0; -1 where the status cannot be, where it was decided already, or the client has left; -3 on
 * another thread, or in a child process.
 */
int ws_respond(void *conn, int status);

/**
 * Serves a connection that the program has accepted itself, as one of the server's own: its request is read, and
 * `ws_open_callback()` or `ws_request_callback()` decides. A server of HTTP hands requests over so.
 *
 * `fd` is a connected stream socket, TCP's or of the UNIX domain, and the library's from then on; a watch of it by
 * `ws_watch()` ends. `bytes` are the `len` bytes that were read from it already, from the start of the request
 * on; they are copied, and remain the program's; NULL where `len` is 0. To be called on the server's thread,
 * from `ws_start_callback()` on.
 *
 * Returns 0; -1 where `fd` is no such socket or the library's own, where there are as many connections as may
 * be, there is no memory, or the server does not listen yet or is to end: then `fd` remains the program's; -3
 * on another thread, or in a child process.
 */
int ws_adopt(int fd, const void *bytes, size_t len);

/**
 * Has `ws_drain_callback()` called once for a connection, when all that is queued for it is written; soon,
 * where nothing is. A producer sends until `ws_get_qbytes()` is enough, and goes on when it is called.
 *
 * To be called on the server's thread. Returns 0; -1 for a connection that has ended or is being closed, and
 * for a request that asks for none; -3 on another thread, or in a child process.
 */
int ws_want_drain(void *conn);

/**
 * Holds a client back: nothing more is told of it, and nothing more is read from it, until `ws_resume()`; what was
 * read already waits, too. What it sends fills the buffers of its socket, and then it has to wait.
 *
 * Meanwhile the client is sent no ping, and is not taken for one that is silent. Where it is not there any more,
 * as a reset or the end of both sides of the stream says, the connection ends at once; its close frame and the
 * end of its side alone are dealt with at `ws_resume()`. Messages are sent to it as ever. `ws_close_conn()`
 * undoes it, and where the server stops it counts for nothing.
 *
 * To be called on the server's thread; in `ws_open_callback()`, and after `ws_defer()`, it holds from the
 * acceptance on. Returns 0; -1 for a connection that has ended or is being closed, and for a request that asks
 * for none; -3 on another thread, or in a child process.
 */
int ws_pause(void *conn);

/**
 * Goes on with a client after `ws_pause()`; for one that is not held back it does nothing. To be called on the
 * server's thread. Returns as `ws_pause()`.
 */
int ws_resume(void *conn);

/**
 * Calls `func(conn, data)` for each connection that is open, before it returns: of those that `ws_count()`
 * counts, in no order. `func` may call any function, and close connections. Nothing is called where `func` is
 * NULL, on another thread than the server's, or in a child process. `data` remains the program's.
 */
void ws_each(void (*func)(void *conn, void *data), void *data);

/**
 * Returns how many connections are open: accepted, and not being closed. 0 on another thread than the server's, or
 * in a child process.
 */
unsigned int ws_count(void);

/**
 * Returns whether a connection is open: 1 where it was accepted, and is not being closed; else 0, also on
 * another thread than the server's, or in a child process.
 */
int ws_is_open(void *conn);

/**
 * Has `func(data)` called on the server's thread, once: after the callback that is running, in the
 * order of the calls, and before `ws_exit_func()` at the latest.
 *
 * Any thread may call it at any time, but no signal handler. What is posted before the server listens
 * is kept until then, also where it becomes a daemon; where the start fails, it is never called.
 * `data` remains the program's.
 *
 * Returns 0; -1 where `func` is NULL, there is no memory, or the server has ended; -3 in a child process
 * of the server's. Where it does not return 0, `func` is not called.
 */
int ws_post(void (*func)(void *data), void *data);

/**
 * Has `func(fd, events, data)` called each time that a descriptor of the program's is ready, as long
 * as it is: for `WS_READ`, `WS_WRITE` or both, as `events` asks. Hang-ups and errors come as both. For a
 * descriptor the last call counts, and `events` 0 ends it.
 *
 * `fd` remains the program's: a socket, a pipe, a terminal, or an epoll(7) or kqueue(2) descriptor of its
 * own. It may be closed at any time, from within `func` too; its watch ends then by itself. To be called on the
 * server's thread, from `ws_start_callback()` on. What is watched when the server ends is watched no more.
 *
 * Returns 0; -1 where the server does not listen yet or any more, where `events` has other bits, where
 * `func` is NULL and `events` is not 0, for a descriptor that cannot be watched (a regular file, a directory, one
 * that is closed or the library's own), and where there is no memory; -3 on another thread, or in a
 * child process.
 */
int ws_watch(int fd, int events, void (*func)(int fd, int events, void *data), void *data);

/**
 * Has `func(data)` called once, when so many milliseconds have passed.
 *
 * They count from now; but where `func` itself calls this with itself and the same `data`, from
 * the moment at which it was due, and periods that have passed already are left out. To be
 * called on the server's thread, from `ws_start_callback()` on. What still waits when the server ends is
 * dropped. `data` remains the program's.
 *
 * Returns a handle for `ws_cancel()`, which is recognised when it is stale. NULL where `func` is NULL,
 * there is no memory, the server does not listen yet or any more, on another thread, or in a child process.
 */
void *ws_after(unsigned int millis, void (*func)(void *data), void *data);

/**
 * Forgets a call that `ws_after()` has promised. For NULL, and for one that was made or forgotten
 * already, it does nothing. To be called on the server's thread.
 */
void ws_cancel(void *timer);

/**
 * Does what the library's own `main` does, which a program that defines one leaves out: the whole life of a
 * server. The calling thread becomes the server's. `argc` and `argv` are those of `main`.
 *
 * User, group and limits stay as the server has made them; signals are as before. The parent of a
 * daemon does not return from it. It may be called again.
 *
 * Returns the exit status for `main`: 0 where the server was told to stop, 1 where it could not start or a
 * server runs in this process already, 2 where the command line is not understood.
 */
int ws_main(int argc, char **argv);

/**
 * Has the server stop as SIGTERM does; see `ws_exit_func()`. Where none runs it does nothing, and in a child
 * process of the server's neither. It may be called on any thread, and in a signal handler.
 */
void ws_stop(void);

/**
 * Begins a server in a process that is the program's own: it listens, and `ws_step()` serves. The
 * calling thread becomes the server's. `argc` and `argv` are as those of `main`: options behind a name.
 *
 * The server is none that becomes a daemon, and touches neither signals, standard streams, the working
 * directory nor LISTEN_FDS; it has no pidfile, is not handed over, and tells no service manager that it is
 * ready. Started by root it stays root, unless -u or -g is among the options. Its log goes to standard error.
 *
 * Returns 0 where the server listens, or where --help or --version was all that was asked for: then the
 * first `ws_step()` returns 0. Otherwise the exit status: 1 where it could not start, 2 where the options
 * are not understood, after a line in the log; -1 where a server runs in this process already.
 */
int ws_begin(int argc, char **argv);

/**
 * Returns a descriptor that is readable when `ws_step()` has work, for a loop of the program's own:
 * poll(2), epoll(7), kqueue(2), GLib's, libuv's, libev's. It is the library's, there in `ws_start_callback()` first, and
 * the same until `ws_exit_func()` has returned, which still finds it. Whoever waits for it waits no longer than
 * `ws_get_timeout()` says. -1 before that and after it, so in `ws_init_func()` too, on another thread than the
 * server's, or in a child process.
 */
int ws_get_fd(void);

/**
 * Returns after how many milliseconds `ws_step()` has work though the descriptor of `ws_get_fd()`
 * is not readable: 0 while work is left, and within each of the program's functions that the library calls, from
 * `ws_init_func()` to `ws_exit_func()`; -1 where that is never. To be asked for anew each time before the
 * program waits, as each call of the library's can change it. On the server's thread; -1 elsewhere, and where there
 * is no server.
 */
int ws_get_timeout(void);

/**
 * Waits for work for so many milliseconds at most, for ever where that is negative, and does one
 * round of it: each connection that is ready has its turn, and so have posts, timers and watched
 * descriptors. After 10 milliseconds it returns, beside the callback that is running; what is left is for
 * the next call.
 *
 * An exception of C++ that leaves a callback passes through it, and the server is whole afterwards.
 *
 * To be called on the server's thread. Returns 1; 0 where the server has stopped, or none was begun: all that
 * it had is given back, and another one may begin; -1 from within a callback; -3 on another thread, or in
 * a child process.
 */
int ws_step(int millis);

/**
 * Has these functions be the program's callbacks, in the place of all those that were linked: for a
 * plugin, another language, a class. `callbacks` is copied, and `size` is `sizeof *callbacks`; what is not within it
 * is left out. NULL, with `size` 0, gives the place back to those that were linked.
 *
 * To be called while no server is there or about to be, before `ws_begin()` or `ws_main()`. Returns 0, or -1 elsewhere, and
 * where `size` is that of no struct.
 */
int ws_set_callbacks(const struct ws_callbacks *callbacks, size_t size);

/**
 * Sets an option as the command line does: "max-message", "65536", or "p", "8080". `value` is NULL
 * for an option that has no argument. Where the command line gives an option itself, what is set here does not
 * count, also where the option may be repeated.
 *
 * Both strings are copied. To be called in `ws_init_func()`, or before `ws_begin()` or `ws_main()`, for the
 * server that begins then. Returns 0; -1 for an option or a value that cannot be, for help, version and
 * check, later, and where there is no memory; -3 on another thread than the server's, or in a child process.
 */
int ws_set_option(const char *name, const char *value);

#ifdef __cplusplus
}
#endif

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif /* DORRIT_H */
