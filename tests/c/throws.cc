/* A program in C++ of which $THROWS names the function that throws, and what it says before it ends. */
#include <dorrit.h>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <unistd.h>

static const char *where;
static bool is_there; /* what a function has on its stack */

struct Local {
    Local() { is_there = true; }
    ~Local() { is_there = false; }
};

static void throws(const char *name)
{
    Local local;

    if (strcmp(name, where) == 0)
        throw std::runtime_error(name);
}

static void end()
{
    const char *stack = is_there ? "there" : "unwound";

    try {
        throw;
    } catch (const std::exception &error) {
        fprintf(stderr, "it ends: %s, the stack of the throw is %s\n", error.what(), stack);
    } catch (...) {
    }
    abort();
}

static void tick() { throws("periodic"); }

#ifndef THROWS_CLASSIC
static void posted(void *) { throws("post"); }
static void timed(void *) { throws("timer"); }
static void ready(int, int, void *) { throws("watch"); }
#endif

static void send(void *conn)
{
    static unsigned char much[65000];
    int i;

    memset(much, 'x', sizeof much);
    for (i = 0; i < 100; i++)
#ifdef THROWS_CLASSIC
        ws_write_conn(conn, sizeof much, (char *)much);
#else
        ws_write_conn(&conn, 1, 0, sizeof much, much);
#endif
}

extern "C" {
void ws_init_func(void)
{
    where = getenv("THROWS");
    std::set_terminate(end);
    throws("init");
    if (strcmp(where, "periodic") == 0)
        ws_set_periodic(tick, 1);
}

void ws_exit_func(void) { throws("exit"); }
void ws_close_callback(void *) { throws("close"); }

#ifdef THROWS_CLASSIC
int ws_open_callback(void *, char *, char *, char *)
#else
void ws_drain_callback(void *) { throws("drain"); }

int ws_start_callback(void)
{
    int fd[2];

    throws("start");
    if (strcmp(where, "post") == 0)
        ws_post(posted, NULL);
    if (strcmp(where, "timer") == 0)
        ws_after(1, timed, NULL);
    if (strcmp(where, "watch") == 0 && pipe(fd) == 0)
        ws_watch(fd[1], WS_WRITE, ready, NULL);
    return 0;
}

int ws_open_callback(void *, char *)
#endif
{
    throws("open");
    return 0;
}

#ifdef THROWS_CLASSIC
void ws_read_callback(void *conn, int, char *)
#else
void ws_read_callback(void *conn, int, int, unsigned char *)
#endif
{
    throws("read");
    send(conn);
}
}
