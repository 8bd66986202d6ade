/* A client in the server's own process and thread: what it waits for comes by stepping the server. */
#ifndef CLIENT_H
#define CLIENT_H

#include <dorrit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CHECK(what) ((what) ? (void)0 : fail(#what, __FILE__, __LINE__))

static void fail(const char *what, const char *file, int line)
{
    printf("%s:%d: %s\n", file, line, what);
    fflush(stdout);
    _exit(1);
}

/* A socket that has asked for an upgrade. */
static int connect_client(const char *path)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                                  "Sec-WebSocket-Version: 13\r\n\r\n";
    struct sockaddr_un address;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(fd >= 0);
    memset(&address, 0, sizeof address);
    address.sun_family = AF_UNIX;
    CHECK(strlen(path) < sizeof address.sun_path);
    strcpy(address.sun_path, path);
    CHECK(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(write(fd, request, sizeof request - 1) == (ssize_t)sizeof request - 1);
    return fd;
}

/* Sends a text of at most 125 bytes, masked by zeros. */
static void send_text(int fd, const char *text)
{
    unsigned char frame[2 + 4 + 125] = { 0x81 };
    size_t len = strlen(text);
    CHECK(len <= 125);
    frame[1] = (unsigned char)(0x80 | len);
    memcpy(frame + 6, text, len);
    CHECK(write(fd, frame, 6 + len) == (ssize_t)(6 + len));
}

/* Steps the server until the client has received these bytes at the end of all that it has. */
static void await_bytes(int fd, const char *end, size_t len)
{
    char bytes[4096];
    size_t count = 0;
    for (;;) {
        ssize_t more = recv(fd, bytes + count, sizeof bytes - count, MSG_DONTWAIT);
        if (more > 0)
            count += (size_t)more;
        if (count >= len && memcmp(bytes + count - len, end, len) == 0)
            return;
        CHECK(more != 0);
        CHECK(ws_step(1000) == 1);
    }
}

static void await_open(int fd)
{
    await_bytes(fd, "\r\n\r\n", 4);
}

static void await_text(int fd, const char *text)
{
    char frame[2 + 125] = { (char)0x81 };
    size_t len = strlen(text);
    frame[1] = (char)len;
    memcpy(frame + 2, text, len);
    await_bytes(fd, frame, 2 + len);
}

#endif
