/*
 * A server that accepts connections itself, on the socket "own" in its directory, reads the first $ADOPT_READ bytes that
 * come, and hands them over with the connection. What cannot be handed over it tries itself, and says what came of it.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dorrit.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "journal.h"

static int listener = -1;
static size_t most;

/* What is returned for this descriptor, and whether it is still there. */
static void try_one(const char *name, int fd)
{
    int adopted = ws_adopt(fd, "GET / HTTP/1.1\r\n", 16);

    journal("%s: %d %s", name, adopted, fd >= 0 && fcntl(fd, F_GETFD) >= 0 ? "open" : "closed");
}

/* One that could be, at a time when none can. */
static void try_pair(const char *name)
{
    char byte = 0;
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0)
        abort();
    try_one(name, fds[0]);
    if (write(fds[1], "x", 1) != 1 || read(fds[0], &byte, 1) != 1 || byte != 'x')
        journal("fault: %s: it cannot be used any more", name);
    close(fds[0]);
    close(fds[1]);
}

static void try_all(void)
{
    int fds[2], fd;

    try_one("negative", -1);
    try_one("none", 100000);
    fd = open("/dev/null", O_RDWR);
    try_one("a device", fd);
    close(fd);
    if (pipe(fds) != 0)
        abort();
    try_one("a pipe", fds[0]);
    close(fds[0]);
    close(fds[1]);
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) != 0)
        abort();
    try_one("datagrams", fds[0]);
    close(fds[0]);
    close(fds[1]);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    try_one("unconnected", fd);
    close(fd);
    try_one("a listener", listener);
    try_one("the loop", ws_get_fd());
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0)
        abort();
    journal("bytes that are not there: %d %s", ws_adopt(fds[0], NULL, 5), fcntl(fds[0], F_GETFD) >= 0 ? "open" : "closed");
    close(fds[0]);
    close(fds[1]);
}

static void on_read(int fd, int events, void *data)
{
    char bytes[70000];
    ssize_t length = read(fd, bytes, most);

    (void)events;
    (void)data;
    callback_begins("a watch");
    if (length <= 0 || ws_adopt(fd, bytes, (size_t)length) != 0) {
        journal("not adopted: %ld", (long)length);
        /* It is the program's still, where the client has not left. */
        if (length > 0 && send(fd, "not adopted", 11, MSG_NOSIGNAL) != 11 && errno != EPIPE)
            journal("fault: it cannot be used any more");
        ws_watch(fd, 0, NULL, NULL);
        close(fd);
    } else if (ws_adopt(fd, NULL, 0) != -1)
        journal("fault: what is the library's is adopted");
    memset(bytes, '#', sizeof bytes);
    callback_ends();
}

static void on_connection(int fd, int events, void *data)
{
    int accepted = accept(fd, NULL, NULL);

    (void)events;
    (void)data;
    if (accepted < 0 || ws_watch(accepted, WS_READ, on_read, NULL) != 0)
        abort();
    if (most == 0) {
        if (ws_adopt(accepted, NULL, 0) != 0)
            journal("fault: nothing read, and not adopted");
    }
}

void ws_init_func(void)
{
    journal_open();
    most = strtoul(getenv("ADOPT_READ"), NULL, 10);
    try_pair("before the server");
}

int ws_start_callback(void)
{
    struct sockaddr_un address;

    memset(&address, 0, sizeof address);
    address.sun_family = AF_UNIX;
    strcpy(address.sun_path, "own");
    listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 50) != 0)
        abort();
    return ws_watch(listener, WS_READ, on_connection, NULL);
}

void ws_exit_func(void)
{
    try_pair("behind the server");
    close(listener);
}

int ws_open_callback(void *conn, char *cookie)
{
    (void)conn;
    (void)cookie;
    return 0;
}

void ws_read_callback(void *conn, int binary, int len, unsigned char *buffer)
{
    callback_begins("ws_read_callback");
    if (len == 4 && memcmp(buffer, "!try", 4) == 0)
        try_all();
    ws_send(&conn, 1, binary, buffer, (size_t)len);
    callback_ends();
}

void ws_close_callback(void *conn)
{
    (void)conn;
    journal("close");
}

int ws_request_callback(void *conn, const char *method, const char *target, size_t len, const unsigned char *body)
{
    (void)method;
    (void)target;
    journal("request %lu", (unsigned long)len);
    return ws_set_body(conn, body, len) == 0 ? 200 : 500;
}
