/* A program with a main and a loop of its own, which checks what it finds: the scenario is the first argument, the
 * server's socket the second. */
#define _POSIX_C_SOURCE 200809L
#include "client.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

static char *path;
static int inits, exits, opens, closes, calls;
static int (*on_message)(void *conn);

void ws_init_func(void)
{
    inits++;
}

void ws_exit_func(void)
{
    exits++;
}

int ws_open_callback(void *conn, char *cookie)
{
    (void)conn;
    (void)cookie;
    opens++;
    return 0;
}

void ws_read_callback(void *conn, int binary, int len, ws_byte *buffer)
{
    if (on_message == NULL || on_message(conn) == 0)
        CHECK(ws_write_conn(&conn, 1, binary, (unsigned int)len, buffer) == 0);
}

void ws_close_callback(void *conn)
{
    (void)conn;
    closes++;
}

static int begin(void)
{
    char *arguments[] = { (char *)"stepper", (char *)"-l", path, NULL };
    return ws_begin(3, arguments);
}

/* Steps the server to its end. */
static void end(void)
{
    int left = 10000, more;
    ws_stop();
    while ((more = ws_step(1000)) == 1)
        CHECK(left-- > 0);
    CHECK(more == 0);
}

static int descriptors(void)
{
    int count = 0;
    DIR *open = opendir("/dev/fd");
    CHECK(open != NULL);
    while (readdir(open) != NULL)
        count++;
    closedir(open);
    return count;
}

static int is_readable(void)
{
    struct pollfd polled;
    polled.fd = ws_get_fd();
    polled.events = POLLIN;
    CHECK(polled.fd >= 0);
    CHECK(poll(&polled, 1, 0) >= 0);
    return polled.revents != 0;
}

/* Steps the server until nothing is left to do. */
static void settle(void)
{
    int left = 10000;
    do {
        CHECK(ws_step(0) == 1);
        CHECK(left-- > 0);
    } while (is_readable() || ws_get_timeout() == 0);
}

static void none(void)
{
    CHECK(ws_step(0) == 0);
    CHECK(ws_get_fd() == -1 && ws_get_timeout() == -1);
    CHECK(ws_watch(0, WS_READ, NULL, NULL) == -1);
    CHECK(ws_after(0, NULL, NULL) == NULL);
    ws_cancel(NULL);
    CHECK(ws_get_qlen(NULL) == 0);
}

static int step_within(void *conn)
{
    CHECK(ws_step(0) == -1 && ws_step(-1) == -1);
    CHECK(begin() == -1);
    CHECK(ws_get_timeout() == 0 && ws_get_fd() >= 0);
    CHECK(ws_set_callbacks(NULL, 0) == -1);
    CHECK(ws_set_option("max-message", "7") == -1);
    CHECK(ws_get_qlen(conn) == 0);
    return 0;
}

static void *from_thread(void *unused)
{
    CHECK(ws_step(0) == -3);
    CHECK(ws_get_fd() == -1 && ws_get_timeout() == -1);
    CHECK(begin() == -1);
    CHECK(ws_set_option("m", "5") == -3);
    return unused;
}

/* It begins, serves, stops and gives all back, many times. */
static void cycle(void)
{
    int i, before;
    none();
    before = descriptors();
    for (i = 1; i <= 20; i++) {
        pthread_t thread;
        int client;
        on_message = step_within;
        CHECK(begin() == 0);
        CHECK(inits == i && exits == i - 1);
        client = connect_client(path);
        await_open(client);
        send_text(client, "hello");
        await_text(client, "hello");
        CHECK(pthread_create(&thread, NULL, from_thread, NULL) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
        CHECK(begin() == -1);
        send_text(client, "still here");
        await_text(client, "still here");
        end();
        CHECK(inits == i && exits == i && opens == i && closes == i);
        CHECK(access(path, F_OK) != 0);
        close(client);
        CHECK(descriptors() == before);
        none();
        CHECK(ws_post((void (*)(void *))abort, NULL) == -1);
    }
}

static void count_call(void *data)
{
    (void)data;
    calls++;
}

static void take_byte(int fd, int events, void *data)
{
    char byte;
    (void)data;
    CHECK(events == WS_READ && read(fd, &byte, 1) == 1);
    calls++;
}

static void *post(void *unused)
{
    CHECK(ws_post(count_call, NULL) == 0);
    return unused;
}

/* The descriptor and the time tell somebody else when there is work. */
static void polled(void)
{
    pthread_t thread;
    int client, pipes[2];
    void *timer;
    CHECK(begin() == 0);
    settle();
    CHECK(ws_get_timeout() == -1);
    client = connect_client(path);
    CHECK(is_readable());
    await_open(client);
    settle();
    /* The ping after 50 seconds. */
    CHECK(ws_get_timeout() > 1000 && ws_get_timeout() <= 50000);
    send_text(client, "work");
    CHECK(is_readable());
    await_text(client, "work");
    settle();

    CHECK(pthread_create(&thread, NULL, post, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(is_readable() && calls == 0);
    settle();
    CHECK(calls == 1);
    CHECK(ws_post(count_call, NULL) == 0);
    CHECK(ws_get_timeout() == 0);
    settle();
    CHECK(calls == 2);

    CHECK(pipe(pipes) == 0 && write(pipes[1], "xy", 2) == 2);
    CHECK(ws_watch(pipes[0], WS_READ, take_byte, NULL) == 0);
    CHECK(is_readable());
    CHECK(ws_step(0) == 1 && calls == 3);
    CHECK(is_readable());
    settle();
    CHECK(calls == 4);
    CHECK(ws_watch(pipes[0], 0, NULL, NULL) == 0);

    timer = ws_after(20000, count_call, NULL);
    CHECK(timer != NULL && ws_get_timeout() > 1000 && ws_get_timeout() <= 20000);
    ws_cancel(timer);
    CHECK(ws_after(0, count_call, NULL) != NULL);
    settle();
    CHECK(calls == 5);
    close(pipes[0]);
    close(pipes[1]);
    close(client);
    end();
}

/* A program's own process is left as it was. */
static void untouched(void)
{
    static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGPIPE, SIGSEGV, SIGCHLD };
    void (*handlers[sizeof signals / sizeof *signals])(int);
    char before[1024], now[1024];
    size_t i;
    int round;
    CHECK(setenv("LISTEN_FDS", "1", 1) == 0 && setenv("NOTIFY_SOCKET", "/nowhere", 1) == 0);
    CHECK(getcwd(before, sizeof before) != NULL);
    for (round = 0; round < 2; round++) {
        for (i = 0; i < sizeof signals / sizeof *signals; i++) {
            struct sigaction action;
            CHECK(sigaction(signals[i], NULL, &action) == 0);
            CHECK(round == 0 || action.sa_handler == handlers[i]);
            handlers[i] = action.sa_handler;
        }
        CHECK(strcmp(getenv("LISTEN_FDS"), "1") == 0);
        CHECK(strcmp(getenv("NOTIFY_SOCKET"), "/nowhere") == 0);
        CHECK(getcwd(now, sizeof now) != NULL && strcmp(now, before) == 0);
        CHECK(fcntl(0, F_GETFL) >= 0 && fcntl(1, F_GETFL) >= 0 && fcntl(2, F_GETFL) >= 0);
        if (round == 0)
            CHECK(begin() == 0);
    }
    CHECK(geteuid() == getuid());
    end();
}

/* A round ends after 10 milliseconds, though there is work left. */
static int spin(void *conn)
{
    struct timespec since, now;
    (void)conn;
    clock_gettime(CLOCK_MONOTONIC, &since);
    do
        clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - since.tv_sec) * 1000000000L + now.tv_nsec - since.tv_nsec < 2000000);
    calls++;
    return 1;
}

static void bounded(void)
{
    int clients[64], i, rounds = 0;
    CHECK(begin() == 0);
    for (i = 0; i < 64; i++) {
        clients[i] = connect_client(path);
        await_open(clients[i]);
    }
    settle();
    on_message = spin;
    for (i = 0; i < 64; i++)
        send_text(clients[i], "busy");
    while (calls < 64) {
        CHECK(ws_step(1000) == 1);
        rounds++;
        CHECK(calls == 64 || ws_get_timeout() == 0);
    }
    /* The clock is read after every 16th callback at least. */
    CHECK(rounds >= 4);
    for (i = 0; i < 64; i++)
        close(clients[i]);
    end();
}

static void *stop_later(void *unused)
{
    ws_stop();
    return unused;
}

/* A server is stopped from another thread, while it waits. */
static void stopped(void)
{
    pthread_t thread;
    int more;
    ws_stop();
    CHECK(begin() == 0);
    settle();
    CHECK(pthread_create(&thread, NULL, stop_later, NULL) == 0);
    while ((more = ws_step(-1)) == 1)
        ;
    CHECK(more == 0 && exits == 1);
    CHECK(pthread_join(thread, NULL) == 0);
    ws_stop();
    CHECK(begin() == 0);
    settle();
    end();
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } scenarios[] = {
        { "cycle", cycle }, { "polled", polled }, { "untouched", untouched }, { "bounded", bounded }, { "stopped", stopped },
    };
    size_t i;
    CHECK(argc == 3);
    path = argv[2];
    for (i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
        if (strcmp(scenarios[i].name, argv[1]) == 0) {
            scenarios[i].run();
            return 0;
        }
    return 2;
}
