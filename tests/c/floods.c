/* A round ends though there is always work: each call takes a millisecond, and 16 may stand between two looks at the
 * clock. */
#define _POSIX_C_SOURCE 200809L
#include "client.h"

#include <poll.h>
#include <time.h>

enum {
    CLIENTS = 4,
    EACH = 60,   /* messages of a client, and posts */
    MOST = 40,   /* calls in a round of 10 milliseconds */
    ROUNDS = 10
};

static int calls, is_busy;

static void work(void)
{
    struct timespec since, now;

    clock_gettime(CLOCK_MONOTONIC, &since);
    do
        clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - since.tv_sec) * 1000000000L + now.tv_nsec - since.tv_nsec < 1000000);
    calls++;
}

void ws_init_func(void)
{
}

void ws_exit_func(void)
{
}

int ws_open_callback(void *conn, char *cookie)
{
    (void)conn;
    (void)cookie;
    return 0;
}

void ws_read_callback(void *conn, int binary, int len, unsigned char *buffer)
{
    if (is_busy)
        work();
    else
        CHECK(ws_send(&conn, 1, binary, buffer, (size_t)len) == 1);
}

void ws_close_callback(void *conn)
{
    (void)conn;
}

static void post_once(void *data)
{
    (void)data;
    work();
}

/* The server is told to stop: what is asked for may come too late. */
static int is_ending;

static void post(void *data)
{
    work();
    CHECK(ws_post(post, data) == 0 || is_ending);
}

static void timer(void *data)
{
    work();
    CHECK(ws_after(0, timer, data) != NULL || is_ending);
}

static void ready(int fd, int events, void *data)
{
    (void)fd;
    (void)events;
    (void)data;
    work();
}

static void begin(int argc, char **argv)
{
    CHECK(ws_begin(argc, argv) == 0);
    calls = is_ending = 0;
}

static void end(void)
{
    int more;

    is_ending = 1;
    ws_stop();
    while ((more = ws_step(1000)) == 1)
        ;
    CHECK(more == 0);
}

/* So many rounds, each of which has an end; and a client is served beside it. */
static void rounds(const char *path)
{
    int client = connect_client(path), before, i;

    await_open(client);
    for (i = 0; i < ROUNDS; i++) {
        before = calls;
        CHECK(ws_step(-1) == 1);
        CHECK(calls - before <= MOST);
    }
    CHECK(calls > 0);
    send_text(client, "x");
    await_text(client, "x");
    close(client);
}

static int has_work(void)
{
    struct pollfd it;

    it.fd = ws_get_fd();
    it.events = POLLIN;
    return ws_get_timeout() == 0 || poll(&it, 1, 0) == 1;
}

static void messages(int argc, char **argv)
{
    int clients[CLIENTS], before, i, k;

    begin(argc, argv);
    for (i = 0; i < CLIENTS; i++) {
        clients[i] = connect_client(argv[argc - 1]);
        await_open(clients[i]);
    }
    is_busy = 1;
    for (i = 0; i < CLIENTS; i++)
        for (k = 0; k < EACH; k++)
            send_text(clients[i], "x");
    while (calls < CLIENTS * EACH) {
        CHECK(has_work());
        before = calls;
        CHECK(ws_step(0) == 1);
        CHECK(calls - before <= MOST);
    }
    is_busy = 0;
    for (i = 0; i < CLIENTS; i++)
        close(clients[i]);
    end();
}

int main(int argc, char **argv)
{
    int ends[2], i;

    messages(argc, argv);

    begin(argc, argv);
    for (i = 0; i < EACH; i++)
        CHECK(ws_after(0, timer, NULL) != NULL);
    rounds(argv[argc - 1]);
    end();

    begin(argc, argv);
    CHECK(pipe(ends) == 0 && write(ends[1], "x", 1) == 1);
    CHECK(ws_watch(ends[0], WS_READ, ready, NULL) == 0); /* who does not read it */
    CHECK(ws_watch(ends[1], WS_WRITE, ready, NULL) == 0);
    rounds(argv[argc - 1]);
    end();

    begin(argc, argv);
    for (i = 0; i < EACH; i++)
        CHECK(ws_post(post_once, NULL) == 0);
    while (calls < EACH) {
        int before = calls;

        CHECK(has_work());
        CHECK(ws_step(0) == 1);
        CHECK(calls - before <= MOST);
    }
    CHECK(ws_post(post, NULL) == 0); /* again and again */
    rounds(argv[argc - 1]);
    return 0;
}
