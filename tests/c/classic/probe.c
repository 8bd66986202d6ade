/*
 * A server of libdorrit(8) that its client commands, as ../probe.c is one of libdorrit(3): a text that does not begin
 * with '!' comes back as it is; one that does is a command of the table at the end, and is answered with one text.
 *
 * Connections are numbered from 1 in the order of ws_open_callback; 0 means the one that asks. The cookie, or where
 * there is none the host, tells what ws_open_callback does: "refuse" refuses, "close0" and "close1" close at once,
 * "say=TEXT" queues TEXT, "do=COMMAND" obeys the command, with + for each space, "crash=WAY" crashes in that way (crash.h).
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define CLASSIC
#include <dorrit.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include "../answer.h"
#include "../journal.h"
#include "crash.h"

struct peer {
    void *conn;
    int number, open, reads;
    char *buffer, *copy; /* of the last message: where it was given, and what it was when the callback returned */
    int length;
};

enum { MOST_PEERS = 4000, LONGEST = 16 << 20 };

static struct peer peers[MOST_PEERS + 1];
static int last_peer;
static char pattern[LONGEST];

#define reply(to, ...) answer((to)->conn, __VA_ARGS__)

static struct peer *peer(struct peer *self, int number)
{
    return number == 0 ? self : &peers[number];
}

/* "write NUMBER LENGTH TIMES": the answer is the last result and the length of the queue behind it. */
static void do_write(struct peer *self, const char *args)
{
    int number = 0, length = 0, times = 1, result = 0;

    sscanf(args, "%d %d %d", &number, &length, &times);
    while (times-- > 0)
        result = ws_write_conn(peer(self, number)->conn, length, pattern);
    reply(self, "%d %u", result, ws_get_qlen(peer(self, number)->conn));
}

/* "fill NUMBER LENGTH": writes until that fails. The answer is how often it did not, the result, and the queue's length. */
static void do_fill(struct peer *self, const char *args)
{
    int number = 0, length = 0, count = 0, result;

    sscanf(args, "%d %d", &number, &length);
    while ((result = ws_write_conn(peer(self, number)->conn, length, pattern)) == 0)
        count++;
    reply(self, "%d %d %u", count, result, ws_get_qlen(peer(self, number)->conn));
}

/* "nothing NUMBER": fills its queue, and then writes what cannot be written. */
static void do_nothing(struct peer *self, const char *args)
{
    void *conn = peer(self, atoi(args))->conn;
    int count = 0, result, empty, lost;

    while ((result = ws_write_conn(conn, 1, pattern)) == 0)
        count++;
    empty = ws_write_conn(conn, 0, pattern);
    lost = ws_write_conn(conn, 1, NULL);
    reply(self, "%d %d %d %d %u", count, result, empty, lost, ws_get_qlen(conn));
}

/* "full": fills the asker's own queue, then closes it politely. */
static void do_full(struct peer *self, const char *args)
{
    (void)args;
    while (ws_write_conn(self->conn, 1, pattern) == 0)
        ;
    ws_close_conn(self->conn, 0);
}

/* "misuse": ws_write_conn with every argument that cannot be, and then one that can. */
static void do_misuse(struct peer *self, const char *args)
{
    int empty, negative, least, lost, nobody, stranger, right;

    (void)args;
    empty = ws_write_conn(self->conn, 0, pattern);
    negative = ws_write_conn(self->conn, -1, pattern);
    least = ws_write_conn(self->conn, -2147483647 - 1, pattern);
    lost = ws_write_conn(self->conn, 5, NULL);
    nobody = ws_write_conn(NULL, 5, pattern);
    stranger = ws_write_conn((void *)(size_t)0xdeadbeefu, 5, pattern);
    right = ws_write_conn(self->conn, 5, pattern);
    reply(self, "%d %d %d %d %d %d %d", empty, negative, least, lost, nobody, stranger, right);
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

static void do_reads(struct peer *self, const char *args)
{
    reply(self, "%d", peer(self, atoi(args))->reads);
}

static void do_qlen(struct peer *self, const char *args)
{
    reply(self, "%u", ws_get_qlen(peer(self, atoi(args))->conn));
}

/* What of a connection's last message is still where it was given (CONTRACT E5). */
static const char *kept(const struct peer *it)
{
    if (it->buffer == NULL)
        return "none";
    return memcmp(it->buffer, it->copy, (size_t)it->length + 1) == 0 ? "same" : "changed";
}

static void do_kept(struct peer *self, const char *args)
{
    reply(self, "%s", kept(peer(self, atoi(args))));
}

/* "data NUMBER": another pointer becomes that connection's data, then NULL, then its own again (CONTRACT E8). */
static void do_data(struct peer *self, const char *args)
{
    struct peer *it = peer(self, atoi(args));
    void *other, *null;

    ws_set_data(it->conn, &it->reads);
    other = ws_get_data(it->conn);
    ws_set_data(it->conn, NULL);
    null = ws_get_data(it->conn);
    ws_set_data(it->conn, it);
    reply(self, "%s %s %s", other == &it->reads ? "kept" : "lost", null == NULL ? "null" : "not null",
          ws_get_data(it->conn) == it ? "kept" : "lost");
}

static void *on_a_thread(void *pointer)
{
    struct peer *self = (struct peer *)pointer;
    int result = ws_write_conn(self->conn, 5, pattern);

    ws_set_data(self->conn, NULL);
    ws_close_conn(self->conn, 1);
    return (void *)(size_t)(result == -3 && ws_get_qlen(self->conn) == 0 && ws_get_data(self->conn) == NULL);
}

/* Calls the functions on another thread (CONTRACT S7). */
static void do_thread(struct peer *self, const char *args)
{
    pthread_t thread;
    void *right = NULL;

    (void)args;
    if (pthread_create(&thread, NULL, on_a_thread, self) != 0 || pthread_join(thread, &right) != 0)
        journal("fault: no thread");
    reply(self, "%s %s", right ? "nothing" : "something", ws_get_data(self->conn) == self ? "kept" : "lost");
}

static void do_crash(struct peer *self, const char *args)
{
    (void)self;
    crash(args);
}

static char later_where[16], later_way[32];

/* "later WHERE WAY": the next "open", "close", "tick" or "exit" crashes. */
static void do_later(struct peer *self, const char *args)
{
    sscanf(args, "%15s %31s", later_where, later_way);
    reply(self, "later");
}

static void crash_if_due(const char *where)
{
    if (strcmp(later_where, where) == 0)
        crash(later_way);
}

/* "child": a child of ours crashes, and we go on. */
static void do_child(struct peer *self, const char *args)
{
    reply(self, "%s", crash_in_child(args));
}

static void do_handle(struct peer *self, const char *args)
{
    handle(atoi(args));
    reply(self, "handled");
}

static void do_default(struct peer *self, const char *args)
{
    signal(atoi(args), SIG_DFL);
    reply(self, "default");
}

static void do_where(struct peer *self, const char *args)
{
    char directory[512];

    (void)args;
    reply(self, "%s", getcwd(directory, sizeof directory) ? directory : "lost");
}

static const struct command {
    const char *name;
    void (*run)(struct peer *self, const char *args);
} commands[] = {
    {"write", do_write}, {"fill", do_fill}, {"full", do_full},   {"misuse", do_misuse}, {"close", do_close},
    {"last", do_last},   {"qlen", do_qlen}, {"reads", do_reads}, {"kept", do_kept},     {"data", do_data},
    {"where", do_where}, {"crash", do_crash}, {"later", do_later}, {"child", do_child}, {"handle", do_handle},
    {"thread", do_thread}, {"nothing", do_nothing}, {"default", do_default},
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

static void tick(void)
{
    callback_begins("the periodic function");
    crash_if_due("tick");
    journal("tick");
    callback_ends();
}

void ws_init_func(void)
{
    const char *way = getenv("PROBE_CRASH_INIT");
    int is_new_start;

    journal_open();
    fchmod(journal_fd, 0666); /* the new start is another user's */
    is_new_start = lseek(journal_fd, 0, SEEK_END) > 0;
    callback_begins("ws_init_func");
    journal("init %ld uid=%ld/%ld file=%s", (long)getpid(), (long)getuid(), (long)geteuid(),
            ws_config_file ? ws_config_file : "(null)");
    memset(pattern, 'a', sizeof pattern);
    if (getenv("PROBE_NAME") != NULL)
        ws_set_name(getenv("PROBE_NAME"));
    if (getenv("PROBE_PERIODIC") != NULL)
        ws_set_periodic(tick, atoi(getenv("PROBE_PERIODIC")));
    if (getenv("PROBE_HANDLER") != NULL)
        handle(atoi(getenv("PROBE_HANDLER")));
    if (getenv("PROBE_GATE") != NULL && is_new_start)
        close(open(getenv("PROBE_GATE"), O_RDONLY)); /* a FIFO: until somebody opens its other end */
    if (way != NULL && is_new_start)
        crash(way);
    callback_ends();
}

/* Optional here; exit.c is the program that has none (CONTRACT E8). */
void ws_exit_func(void)
{
    callback_begins("ws_exit_func");
    crash_if_due("exit");
    journal("exit %ld", (long)getpid());
    callback_ends();
}

int ws_open_callback(void *conn, char *cookie, char *hostname, char *protocol)
{
    struct peer *self = &peers[++last_peer];
    char *wish = *cookie ? cookie : hostname;
    int refuse = strcmp(wish, "refuse") == 0;

    callback_begins("ws_open_callback");
    crash_if_due("open");
    journal("open %d [%s] [%s] [%s]", last_peer, cookie, hostname, protocol);
    if (ws_get_data(conn) != NULL)
        journal("fault: data before the first ws_set_data");
    self->conn = conn;
    self->number = last_peer;
    self->open = !refuse;
    ws_set_data(conn, self);
    if (refuse)
        reply(self, "never sent");
    if (strncmp(wish, "say=", 4) == 0)
        reply(self, "%s", wish + 4);
    if (strncmp(wish, "do=", 3) == 0) {
        for (char *plus = wish; (plus = strchr(plus, '+')) != NULL;)
            *plus = ' ';
        obey(self, wish + 3);
    }
    if (strncmp(wish, "crash=", 6) == 0)
        crash(wish + 6);
    if (strncmp(wish, "close", 5) == 0)
        ws_close_conn(conn, wish[5] == '1');
    /* They may be written to: what the client is answered must not notice. */
    memset(cookie, '#', strlen(cookie));
    memset(hostname, '#', strlen(hostname));
    memset(protocol, '#', strlen(protocol));
    callback_ends();
    return refuse ? 7 : 0;
}

void ws_read_callback(void *conn, int len, char *buffer)
{
    struct peer *self = (struct peer *)ws_get_data(conn);

    callback_begins("ws_read_callback");
    self->reads++;
    if (!self->open || self->conn != conn)
        journal("fault: a message of a connection that is not open");
    if (len < 0 || buffer[len] != 0)
        journal("fault: a message of %d bytes is not terminated", len);
    if (buffer[0] == '!')
        obey(self, buffer + 1);
    else if (len > 0)
        ws_write_conn(conn, len, buffer);
    else
        reply(self, "empty");
    if (len > 0)
        buffer[len / 2] = '#'; /* CONTRACT E5, D13: it may write there, and finds it there later */
    self->buffer = buffer;
    self->length = len;
    self->copy = (char *)realloc(self->copy, (size_t)len + 1);
    if (self->copy != NULL)
        memcpy(self->copy, buffer, (size_t)len + 1);
    callback_ends();
}

void ws_close_callback(void *conn)
{
    struct peer *self = (struct peer *)ws_get_data(conn);

    callback_begins("ws_close_callback");
    crash_if_due("close");
    if (self == NULL || self->conn != conn || !self->open)
        journal("fault: a close callback of a connection that is not open");
    else {
        self->open = 0;
        journal("close %d queued=%u buffer=%s", self->number, ws_get_qlen(conn), kept(self));
    }
    if (self != NULL) {
        free(self->copy);
        self->copy = self->buffer = NULL;
    }
    callback_ends();
}
