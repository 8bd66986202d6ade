/* Exceptions that leave the program's functions pass through the library to who has called it, and the server is whole
 * afterwards. Each part says that it has gone well. */
#include "client.h"

#include <functional>
#include <stdexcept>
#include <string>

static int argc;
static char **argv;
static const char *path;
static std::string thrower; /* the function that throws next, once */
static int opens, closes, exits, drains;
static int status, answer; /* of the next handshake */
static void *last;         /* the connection that has come last */

static void maybe(const char *name)
{
    if (thrower != name)
        return;
    thrower.clear();
    throw std::runtime_error(name);
}

extern "C" {
void ws_init_func(void)
{
    maybe("init");
}

int ws_start_callback(void)
{
    maybe("start");
    return 0;
}

void ws_exit_func(void)
{
    exits++;
    maybe("exit");
}

int ws_open_callback(void *conn, char *)
{
    opens++;
    last = conn;
    if (status != 0)
        CHECK(ws_set_status(conn, status) == 0);
    ws_choose_protocol(conn, "chat");
    maybe("open");
    return answer;
}

void ws_read_callback(void *conn, int binary, int len, unsigned char *buffer)
{
    if (std::string("much") == (char *)buffer) {
        std::string much(60000, 'x');
        for (int i = 0; i < 50; i++)
            CHECK(ws_send(&conn, 1, 0, much.data(), much.size()) == 1);
    }
    ws_send(&conn, 1, binary, buffer, (size_t)len);
    maybe("read");
}

void ws_close_callback(void *)
{
    closes++;
    maybe("close");
}

void ws_drain_callback(void *)
{
    drains++;
    maybe("drain");
}
}

/* Whether that throws what this function was told to throw. */
static bool throws(const char *name, const std::function<void()> &act)
{
    try {
        act();
    } catch (const std::runtime_error &error) {
        CHECK(error.what() == std::string(name));
        return true;
    }
    return false;
}

/* Steps the server until an exception of that name has come. */
static void step_until_thrown(const char *name)
{
    for (int i = 0; i < 10000; i++)
        if (throws(name, [] { CHECK(ws_step(1000) == 1); }))
            return;
    CHECK(!"no exception");
}

/* The answer to a handshake that is not accepted. */
static void expect_status(int client, const char *line)
{
    char bytes[64];
    ssize_t got;

    while ((got = recv(client, bytes, sizeof bytes, MSG_DONTWAIT)) < 0)
        CHECK(ws_step(1000) == 1);
    CHECK(got > (ssize_t)strlen(line) && memcmp(bytes, line, strlen(line)) == 0);
    opens--; /* no ws_close_callback() follows */
    close(client);
}

/* Everybody is served. */
static void is_whole(int other)
{
    int client = connect_client(path);

    await_open(client);
    send_text(client, "new");
    await_text(client, "new");
    close(client);
    send_text(other, "old");
    await_text(other, "old");
}

static void end(void)
{
    int more;

    ws_stop();
    while ((more = ws_step(1000)) == 1)
        ;
    CHECK(more == 0);
    CHECK(closes == opens);
}

static void starts()
{
    for (const char *name : {"init", "start"}) {
        for (int (*function)(int, char **) : {ws_begin, ws_main}) {
            thrower = name;
            CHECK(throws(name, [=] { function(argc, argv); }));
            CHECK(ws_step(0) == 0 && ws_get_fd() == -1 && access(path, F_OK) != 0);
        }
    }
    CHECK(exits == 0);
    CHECK(ws_begin(argc, argv) == 0);
    end();
    CHECK(exits == 1);
    puts("starts");
}

static void call(void *data)
{
    maybe((const char *)data);
}

static void watched(int fd, int, void *data)
{
    char byte;

    CHECK(read(fd, &byte, 1) == 1);
    maybe((const char *)data);
}

static void steps()
{
    int ends[2];

    CHECK(ws_begin(argc, argv) == 0);
    int other = connect_client(path);
    await_open(other);

    thrower = "read";
    send_text(other, "1");
    send_text(other, "2"); /* it was under way in the same turn */
    step_until_thrown("read");
    await_text(other, "2");
    is_whole(other);

    thrower = "open";
    int client = connect_client(path);
    step_until_thrown("open");
    expect_status(client, "HTTP/1.1 403");
    is_whole(other);

    client = connect_client(path);
    await_open(client);
    thrower = "close";
    close(client);
    step_until_thrown("close");
    is_whole(other);

    client = connect_client(path);
    await_open(client);
    thrower = "drain";
    send_text(client, "much");
    for (bool thrown = false; !thrown;) {
        static char much[65536];

        thrown = throws("drain", [] { CHECK(ws_step(1000) == 1); });
        while (recv(client, much, sizeof much, MSG_DONTWAIT) > 0) {
        }
    }
    close(client);
    is_whole(other);

    char post[] = "post", timer[] = "timer", watch[] = "watch";
    thrower = post;
    CHECK(ws_post(call, post) == 0 && ws_post(call, post) == 0);
    step_until_thrown(post);
    thrower = timer;
    CHECK(ws_after(1, call, timer) != NULL);
    step_until_thrown(timer);
    CHECK(pipe(ends) == 0 && ws_watch(ends[0], WS_READ, watched, watch) == 0);
    CHECK(write(ends[1], "xy", 2) == 2);
    thrower = watch;
    step_until_thrown(watch);
    thrower = watch; /* it is watched still */
    step_until_thrown(watch);
    is_whole(other);
    close(ends[0]);
    close(ends[1]);

    close(other);
    thrower = "exit";
    int before = exits;
    ws_stop();
    step_until_thrown("exit");
    CHECK(ws_step(-1) == 0 && exits == before + 1 && closes == opens);
    CHECK(access(path, F_OK) != 0);
    CHECK(ws_begin(argc, argv) == 0);
    end();
    puts("steps");
}

/* Nothing of a handshake, or of a connection, is left for others. */
static void handshakes()
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                                  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat\r\n\r\n";
    struct sockaddr_un address = sockaddr_un();
    int client = socket(AF_UNIX, SOCK_STREAM, 0), refused;

    CHECK(ws_begin(argc, argv) == 0);
    address.sun_family = AF_UNIX;
    strcpy(address.sun_path, path);
    CHECK(connect(client, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(write(client, request, sizeof request - 1) == (ssize_t)sizeof request - 1);
    await_open(client);
    void *conn = last;
    CHECK(strcmp(ws_get_protocol(conn), "chat") == 0);
    thrower = "close";
    close(client);
    step_until_thrown("close");
    CHECK(strcmp(ws_get_protocol(conn), "") == 0);

    status = 404;
    thrower = "open";
    refused = connect_client(path);
    step_until_thrown("open");
    status = 0;
    expect_status(refused, "HTTP/1.1 403");
    answer = -1;
    expect_status(connect_client(path), "HTTP/1.1 403");
    answer = 0;
    end();
    puts("handshakes");
}

int main(int count, char **words)
{
    argc = count;
    argv = words;
    path = argv[argc - 1];
    starts();
    steps();
    handshakes();
}
