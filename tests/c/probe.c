/*
 * A server that its client commands. A message that does not begin with '!' comes back as it is; a text that does is
 * one of the commands in the table at the end of this file, and is answered with one text.
 *
 * Connections are numbered from 1 in the order of ws_open_callback; 0 means the one that asks. The cookie tells what
 * ws_open_callback does: "refuse" refuses, "close0" and "close1" close at once, "say=TEXT" queues TEXT.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dorrit.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include "answer.h"
#include "journal.h"

struct peer {
    void *conn;
    int number, open, reads;
    char mark; /* what "set" lets the data pointer point to */
};

enum { MOST_PEERS = 20000, LONGEST = 8 << 20 };

static struct peer peers[MOST_PEERS + 1];
static int last_peer;
static unsigned char pattern[LONGEST];

#define reply(to, ...) answer((to)->conn, __VA_ARGS__)

static struct peer *peer(struct peer *self, int number)
{
    return number == 0 ? self : &peers[number];
}

#include "process.h"  /* the commands that look at the process, not at the connections */
#include "children.h" /* those that fork */

/* "write NUMBER BINARY LENGTH TIMES": the answer is the last result and the length of the queue behind it. */
static void do_write(struct peer *self, const char *args)
{
    int number = 0, binary = 0, times = 1, result = 0;
    unsigned int length = 0;

    sscanf(args, "%d %d %u %d", &number, &binary, &length, &times);
    while (times-- > 0)
        result = ws_write_conn(&peer(self, number)->conn, 1, binary, length, pattern);
    reply(self, "%d %u", result, ws_get_qlen(peer(self, number)->conn));
}

/* "broadcast BINARY LENGTH TIMES": to every connection that is open, with one call each time. */
static void do_broadcast(struct peer *self, const char *args)
{
    static void *conns[MOST_PEERS];
    int binary = 0, times = 1, result = 0, count = 0, i;
    unsigned int length = 0;

    sscanf(args, "%d %u %d", &binary, &length, &times);
    for (i = 1; i <= last_peer; i++)
        if (peers[i].open)
            conns[count++] = peers[i].conn;
    while (times-- > 0)
        result = ws_write_conn(conns, count, binary, length, pattern);
    reply(self, "%d %d", result, count);
}

/* "misuse": ws_write_conn with every argument that cannot be, and then one that can: all in one answer. */
static void do_misuse(struct peer *self, const char *args)
{
    void *mixed[4];
    int empty, lost, nobody, none, negative, all_of_them;

    (void)args;
    mixed[0] = NULL;
    mixed[1] = self->conn;
    mixed[2] = (void *)(size_t)0xdeadbeefu;
    mixed[3] = NULL;
    empty = ws_write_conn(&self->conn, 1, 0, 0, pattern);
    lost = ws_write_conn(&self->conn, 1, 0, 5, NULL);
    nobody = ws_write_conn(NULL, 1, 0, 5, pattern);
    none = ws_write_conn(&self->conn, 0, 0, 5, pattern);
    negative = ws_write_conn(&self->conn, -1, 0, 5, pattern);
    all_of_them = ws_write_conn(mixed, 4, 0, 5, pattern);
    reply(self, "%d %d %d %d %d %d", empty, lost, nobody, none, negative, all_of_them);
}

static void do_close(struct peer *self, const char *args)
{
    int number = 0, force = 0;

    sscanf(args, "%d %d", &number, &force);
    ws_close_conn(peer(self, number)->conn, force);
    reply(self, "closed");
}

/* "last TEXT": queues TEXT for the asker, closes politely, and queues what must not be sent any more. */
static void do_last(struct peer *self, const char *args)
{
    reply(self, "%s", args);
    ws_close_conn(self->conn, 0);
    reply(self, "too late");
}

static void do_id(struct peer *self, const char *args)
{
    (void)args;
    reply(self, "%d", self->number);
}

static void do_reads(struct peer *self, const char *args)
{
    reply(self, "%d", peer(self, atoi(args))->reads);
}

static void do_qlen(struct peer *self, const char *args)
{
    reply(self, "%u", ws_get_qlen(peer(self, atoi(args))->conn));
}

/* "set NUMBER": another pointer becomes that connection's data, then NULL, then its own again. */
static void do_set(struct peer *self, const char *args)
{
    struct peer *it = peer(self, atoi(args));
    void *other, *null;

    ws_set_data(it->conn, &it->mark);
    other = ws_get_data(it->conn);
    ws_set_data(it->conn, NULL);
    null = ws_get_data(it->conn);
    ws_set_data(it->conn, it);
    reply(self, "%s %s %s", other == &it->mark ? "kept" : "lost", null == NULL ? "null" : "not null",
          ws_get_data(it->conn) == it ? "kept" : "lost");
}

static void tick(void)
{
    struct timespec now;

    callback_begins("the periodic function");
    clock_gettime(CLOCK_MONOTONIC, &now);
    journal("tick %ld", (long)now.tv_sec * 1000 + now.tv_nsec / 1000000);
    if (getenv("PROBE_TICK_TAKES") != NULL) { /* milliseconds */
        now.tv_sec = 0;
        now.tv_nsec = atol(getenv("PROBE_TICK_TAKES")) * 1000000;
        nanosleep(&now, NULL);
    }
    callback_ends();
}

static void do_periodic(struct peer *self, const char *args)
{
    ws_set_periodic(strstr(args, "null") != NULL ? NULL : tick, atoi(args));
    reply(self, "set");
}

static void do_name(struct peer *self, const char *args)
{
    char name[] = "too-late";

    (void)args;
    ws_set_name(name);
    reply(self, "named");
}

static void do_syslog(struct peer *self, const char *args)
{
    syslog(LOG_NOTICE, "%s", args);
    reply(self, "logged");
}

/* "exit STATUS": the program ends by itself, out of a callback. */
static void do_exit(struct peer *self, const char *args)
{
    (void)self;
    exit(atoi(args));
}

static const struct command {
    const char *name;
    void (*run)(struct peer *self, const char *args);
} commands[] = {
    {"write", do_write},     {"broadcast", do_broadcast}, {"misuse", do_misuse},   {"close", do_close},
    {"last", do_last},       {"id", do_id},               {"reads", do_reads},     {"qlen", do_qlen},
    {"set", do_set},         {"periodic", do_periodic},   {"name", do_name},       {"syslog", do_syslog},
    {"thread", do_thread},   {"oom", do_oom},             {"eat", do_eat},         {"spit", do_spit},
    {"leaks", do_leaks},     {"signals", do_signals},     {"nofile", do_nofile},   {"mark", do_mark},
    {"exit", do_exit},       {"env", do_env},             {"hang", do_hang},        {"fork", do_fork},
};

static void obey(struct peer *self, const char *text)
{
    size_t i, length = strcspn(text, " ");

    for (i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strlen(commands[i].name) == length && strncmp(commands[i].name, text, length) == 0) {
            commands[i].run(self, text[length] == ' ' ? text + length + 1 : text + length);
            return;
        }
    journal("fault: no such command: %s", text);
}

/* The library is at its end, or beyond: whatever is called then does nothing, and no harm. */
static void at_exit(void)
{
    void *conn = peers[1].conn;
    char name[] = "atexit";

    ws_set_name(name);
    ws_set_periodic(NULL, 0);
    ws_set_data(conn, &conn);
    ws_close_conn(conn, 1);
    if (ws_write_conn(&conn, 1, 0, 5, pattern) > 0)
        journal("fault: a message was queued at exit");
    if (ws_get_qlen(conn) > 0 && ws_get_data(conn) == &pattern)
        journal("fault: a connection at exit");
    journal("atexit %ld", (long)getpid());
}

void ws_init_func(void)
{
    size_t i;

    journal_open();
    callback_begins("ws_init_func");
    journal("init %ld uid=%ld file=%s", (long)getpid(), (long)getuid(), ws_config_file ? ws_config_file : "(null)");
    for (i = 0; i < sizeof pattern; i++)
        pattern[i] = (unsigned char)('a' + i % 26);
    if (getenv("PROBE_NAME") != NULL)
        ws_set_name(getenv("PROBE_NAME"));
    if (getenv("PROBE_PERIODIC") != NULL)
        ws_set_periodic(tick, atoi(getenv("PROBE_PERIODIC")));
    if (getenv("PROBE_ATEXIT") != NULL)
        atexit(at_exit);
    if (getenv("PROBE_SIGNAL") != NULL)
        interrupt_on(strcmp(getenv("PROBE_SIGNAL"), "HUP") == 0 ? SIGHUP : SIGUSR1);
    if (getenv("PROBE_SIGPIPE") != NULL)
        signal(SIGPIPE, SIG_DFL);
    if (getenv("PROBE_CHILDREN") != NULL)
        hear_of_children();
#ifdef PR_SET_CHILD_SUBREAPER
    if (getenv("PROBE_REAPER") != NULL)
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
#endif
    if (getenv("PROBE_PRINT") != NULL) {
        printf("%s", getenv("PROBE_PRINT")); /* not flushed */
        fprintf(stderr, "%s\n", getenv("PROBE_PRINT"));
    }
    callback_ends();
}

void ws_exit_func(void)
{
    callback_begins("ws_exit_func");
    if (getenv("PROBE_CHILDREN") != NULL)
        wait_for_children();
    journal("exit %ld", (long)getpid());
    callback_ends();
}

int ws_open_callback(void *conn, char *cookie)
{
    struct peer *self = &peers[++last_peer];
    int refuse = strcmp(cookie, "refuse") == 0;

    callback_begins("ws_open_callback");
    if (ws_get_data(conn) != NULL)
        journal("fault: data before the first ws_set_data");
    self->conn = conn;
    self->number = last_peer;
    self->open = !refuse;
    ws_set_data(conn, self);
    journal("open %d [%s]", self->number, cookie);
    if (refuse)
        reply(self, "never sent");
    if (strncmp(cookie, "say=", 4) == 0)
        reply(self, "%s", cookie + 4);
    if (strncmp(cookie, "close", 5) == 0)
        ws_close_conn(conn, cookie[5] == '1');
    callback_ends();
    return refuse ? 7 : 0;
}

void ws_read_callback(void *conn, int binary, int len, unsigned char *buffer)
{
    struct peer *self = (struct peer *)ws_get_data(conn);

    callback_begins("ws_read_callback");
    self->reads++;
    if (!self->open || self->conn != conn)
        journal("fault: a message of a connection that is not open");
    if (len < 0 || buffer[len] != 0)
        journal("fault: a message of %d bytes is not terminated", len);
    if (!binary && buffer[0] == '!')
        obey(self, (const char *)buffer + 1);
    else if (len > 0)
        ws_write_conn(&conn, 1, binary, (unsigned int)len, buffer);
    else
        reply(self, "empty %d", binary);
    memset(buffer, '#', (size_t)len); /* CONTRACT D13: it may write there; what comes behind must not notice */
    callback_ends();
}

void ws_close_callback(void *conn)
{
    struct peer *self = (struct peer *)ws_get_data(conn);

    callback_begins("ws_close_callback");
    if (self == NULL || self->conn != conn || !self->open)
        journal("fault: a close callback of a connection that is not open");
    else {
        self->open = 0;
        journal("close %d queued=%u", self->number, ws_get_qlen(conn));
    }
    callback_ends();
}
