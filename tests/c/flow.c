/*
 * A server for the flow of messages. What it does is told to it: by the X-Do header of a request in ws_open_callback or
 * ws_request_callback, later by texts that begin with '!', and in ws_shutdown_callback by $FLOW_LAST. Each is a list of
 * calls with ';' between them; the names are in the table at the end of this file. A text is answered by what all of
 * its calls have returned, with a space between them; elsewhere that goes to the journal. Other messages come back, and
 * are told there too.
 *
 * Connections are numbered from 1 in the order of their first callbacks; 0 means the one that asks. "timer" is a timer,
 * and a number that nobody has is NULL.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dorrit.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include "journal.h"

enum { MOST_PEERS = 1000, LONGEST = 1 << 20, MOST_TOLD = 20 };

struct peer {
    void *conn;
    int number, drains;
    char on_drain[64];
};

struct later {
    struct peer *self;
    char calls[200];
};

static struct peer peers[MOST_PEERS + 1];
static int last_peer, verdict;
static void *timer;
static unsigned char pattern[LONGEST];
static char result[4096];

static void run_calls(struct peer *self, const char *calls);

static void answer(const char *format, ...)
{
    size_t length = strlen(result);
    va_list args;

    if (length > 0 && length < sizeof result - 1)
        result[length++] = ' ';
    va_start(args, format);
    vsnprintf(result + length, sizeof result - length, format, args);
    va_end(args);
}

/* Makes calls where there is nobody to be answered. */
static void run_here(const char *where, struct peer *self, const char *calls)
{
    static char before[sizeof result];

    strcpy(before, result);
    result[0] = '\0';
    run_calls(self, calls);
    journal("%s %d: %s", where, self->number, result);
    strcpy(result, before);
}

/* The handle that the arguments begin with; *rest is what stands behind it. */
static void *handle(struct peer *self, const char *args, const char **rest)
{
    char *end;
    long number = strtol(args, &end, 10);

    if (strncmp(args, "timer", 5) == 0) {
        *rest = args + 5;
        return timer;
    }
    *rest = end + strspn(end, " ");
    if (number == 0)
        return self->conn;
    return number > 0 && number <= MOST_PEERS ? peers[number].conn : NULL;
}

static void count_one(void *conn, void *data)
{
    (void)conn;
    ++*(unsigned int *)data;
}

static unsigned int count_each(void)
{
    unsigned int found = 0;

    ws_each(count_one, &found);
    return found;
}

/* What all functions return for that handle: those that change nothing in the end. */
static void do_all(struct peer *self, const char *args)
{
    const char *rest;
    void *conn = handle(self, args, &rest);
    int want = ws_want_drain(conn), pause = ws_pause(conn), resume = ws_resume(conn);

    answer("%d %d %d open=%d count=%u each=%u", want, pause, resume, ws_is_open(conn), ws_count(), count_each());
}

static void *on_a_thread(void *data)
{
    do_all((struct peer *)data, "0");
    return NULL;
}

static void do_thread(struct peer *self, const char *args)
{
    pthread_t thread;

    (void)args;
    if (pthread_create(&thread, NULL, on_a_thread, self) != 0 || pthread_join(thread, NULL) != 0)
        journal("fault: no thread");
}

static void do_fork(struct peer *self, const char *args)
{
    pid_t child = fork();

    (void)args;
    if (child == 0) {
        result[0] = '\0';
        do_all(self, "0");
        journal("child: %s", result);
        _exit(0);
    }
    if (child < 0 || waitpid(child, NULL, 0) != child)
        journal("fault: no child");
    answer("forked");
}

static void do_pause(struct peer *self, const char *args)
{
    const char *rest;

    answer("%d", ws_pause(handle(self, args, &rest)));
}

static void do_resume(struct peer *self, const char *args)
{
    const char *rest;

    answer("%d", ws_resume(handle(self, args, &rest)));
}

static void do_want(struct peer *self, const char *args)
{
    const char *rest;

    answer("%d", ws_want_drain(handle(self, args, &rest)));
}

static void do_open(struct peer *self, const char *args)
{
    const char *rest;

    answer("%d", ws_is_open(handle(self, args, &rest)));
}

static void do_count(struct peer *self, const char *args)
{
    (void)self;
    (void)args;
    answer("%u", ws_count());
}

static void run_for(void *conn, void *data)
{
    struct peer *self = (struct peer *)ws_get_data(conn);

    run_calls(self, (const char *)data);
}

/* "each CALL": for each connection that is open. */
static void do_each(struct peer *self, const char *args)
{
    (void)self;
    ws_each(run_for, (void *)args);
}

static void do_each_of_none(struct peer *self, const char *args)
{
    (void)self;
    (void)args;
    ws_each(NULL, pattern);
    answer("none");
}

static void do_number(struct peer *self, const char *args)
{
    (void)args;
    answer("%d", self->number);
}

/* "send NUMBER LENGTH TIMES": for how many it was queued. */
static void do_send(struct peer *self, const char *args)
{
    const char *rest;
    void *conn = handle(self, args, &rest);
    int length = 0, times = 1;
    long sum = 0;

    sscanf(rest, "%d %d", &length, &times);
    while (times-- > 0)
        sum += ws_send(&conn, 1, 1, pattern, (size_t)length);
    answer("%ld", sum);
}

static void do_say(struct peer *self, const char *args)
{
    const char *text;
    void *conn = handle(self, args, &text);

    answer("%ld", ws_send(&conn, 1, 0, text, strlen(text)));
}

static void do_close(struct peer *self, const char *args)
{
    const char *force;
    void *conn = handle(self, args, &force);

    ws_close_conn(conn, atoi(force));
    answer("closed");
}

static void do_qbytes(struct peer *self, const char *args)
{
    const char *rest;

    answer("%lu", ws_get_qbytes(handle(self, args, &rest)));
}

static void do_held(struct peer *self, const char *args)
{
    struct ws_stats stats;

    (void)self;
    (void)args;
    if (ws_get_stats(&stats, sizeof stats) != 0)
        journal("fault: no figures");
    else
        answer("%llu", stats.held_bytes);
}

/* "drains NUMBER": how often its ws_drain_callback was called. */
static void do_drains(struct peer *self, const char *args)
{
    int number = atoi(args);

    answer("%d", number == 0 ? self->drains : peers[number].drains);
}

/* "ondrain CALLS": what that does, with ',' between them. */
static void do_ondrain(struct peer *self, const char *args)
{
    char *place;

    snprintf(self->on_drain, sizeof self->on_drain, "%s", args);
    while ((place = strchr(self->on_drain, ',')) != NULL)
        *place = ';';
    answer("set");
}

static void run_later(void *data)
{
    struct later *later = (struct later *)data;

    callback_begins("a timer");
    run_here("later", later->self, later->calls);
    free(later);
    callback_ends();
}

/* "after MILLIS CALLS", with ',' between them. */
static void do_after(struct peer *self, const char *args)
{
    struct later *later = (struct later *)malloc(sizeof *later);
    char *calls, *place;
    unsigned long millis = strtoul(args, &calls, 10);

    if (later == NULL)
        abort();
    later->self = self;
    snprintf(later->calls, sizeof later->calls, "%s", calls + strspn(calls, " "));
    while ((place = strchr(later->calls, ',')) != NULL)
        *place = ';';
    answer("%s", ws_after((unsigned int)millis, run_later, later) != NULL ? "set" : "null");
}

static void do_defer(struct peer *self, const char *args)
{
    (void)args;
    answer("%d", ws_defer(self->conn));
}

static void do_accept(struct peer *self, const char *args)
{
    const char *rest;

    answer("%d", ws_accept(handle(self, args, &rest)));
}

static void do_respond(struct peer *self, const char *args)
{
    const char *status;
    void *conn = handle(self, args, &status);

    answer("%d", ws_respond(conn, atoi(status)));
}

static void do_return(struct peer *self, const char *args)
{
    (void)self;
    verdict = atoi(args);
    answer("%d", verdict);
}

static void do_stop(struct peer *self, const char *args)
{
    (void)self;
    (void)args;
    ws_stop();
    answer("told");
}

static const struct command {
    const char *name;
    void (*run)(struct peer *self, const char *args);
} commands[] = {
    {"all", do_all},       {"thread", do_thread},   {"fork", do_fork},     {"pause", do_pause}, {"resume", do_resume},
    {"want", do_want},     {"open", do_open},       {"count", do_count},   {"each", do_each},   {"number", do_number},
    {"send", do_send},     {"say", do_say},         {"close", do_close},   {"held", do_held},   {"drains", do_drains},
    {"after", do_after},   {"ondrain", do_ondrain}, {"defer", do_defer},   {"accept", do_accept}, {"respond", do_respond},
    {"return", do_return}, {"stop", do_stop},       {"qbytes", do_qbytes}, {"each_of_none", do_each_of_none},
};

static void call(struct peer *self, const char *command)
{
    size_t i, length = strcspn(command, " ");

    for (i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strlen(commands[i].name) == length && strncmp(commands[i].name, command, length) == 0) {
            commands[i].run(self, command[length] == ' ' ? command + length + 1 : command + length);
            return;
        }
    journal("fault: no such call: %s", command);
}

static void run_calls(struct peer *self, const char *calls)
{
    char *copy = strdup(calls), *command, *rest = copy;

    while (copy != NULL && (command = strsep(&rest, ";")) != NULL)
        call(self, command);
    free(copy);
}

static void never(void *data)
{
    (void)data;
    journal("fault: a timer is due");
}

/* Somebody new, who is told what to do by the request. */
static int begin(const char *where, void *conn)
{
    struct peer *self = &peers[++last_peer];
    const char *calls = ws_get_header(conn, "X-Do");

    if (last_peer == MOST_PEERS)
        abort();
    verdict = strcmp(where, "request") == 0 ? 204 : 0;
    self->conn = conn;
    self->number = last_peer;
    ws_set_data(conn, self);
    if (calls != NULL)
        run_here(where, self, calls);
    return verdict;
}

void ws_init_func(void)
{
    memset(pattern, 'x', sizeof pattern);
    journal_open();
}

int ws_start_callback(void)
{
    timer = ws_after(3600 * 1000, never, NULL);
    return 0;
}

void ws_exit_func(void)
{
    journal("exit %ld count=%u each=%u", (long)getpid(), ws_count(), count_each());
}

int ws_open_callback(void *conn, char *cookie)
{
    int answered;

    (void)cookie;
    callback_begins("ws_open_callback");
    answered = begin("open", conn);
    callback_ends();
    return answered;
}

int ws_request_callback(void *conn, const char *method, const char *target, size_t len, const unsigned char *body)
{
    int answered;

    (void)method;
    (void)target;
    (void)len;
    (void)body;
    callback_begins("ws_request_callback");
    answered = begin("request", conn);
    callback_ends();
    return answered;
}

void ws_read_callback(void *conn, int binary, int len, unsigned char *buffer)
{
    struct peer *self = (struct peer *)ws_get_data(conn);

    callback_begins("ws_read_callback");
    if (!binary && buffer[0] == '!') {
        result[0] = '\0';
        run_calls(self, (const char *)buffer + 1);
        ws_send(&conn, 1, 0, result, strlen(result));
    } else {
        journal("read %d %d %.20s", self->number, len, buffer);
        ws_send(&conn, 1, binary, buffer, (size_t)len);
    }
    callback_ends();
}

void ws_drain_callback(void *conn)
{
    struct peer *self = (struct peer *)ws_get_data(conn);

    callback_begins("ws_drain_callback");
    if (++self->drains <= MOST_TOLD)
        journal("drain %d qbytes=%lu", self->number, ws_get_qbytes(conn));
    if (self->on_drain[0] != '\0') {
        result[0] = '\0';
        run_calls(self, self->on_drain);
    }
    callback_ends();
}

void ws_shutdown_callback(void *conn)
{
    struct peer *self = (struct peer *)ws_get_data(conn);

    callback_begins("ws_shutdown_callback");
    if (!ws_is_open(conn))
        journal("fault: a last word to one that is not open");
    journal("last %d pid=%ld count=%u", self->number, (long)getpid(), ws_count());
    if (getenv("FLOW_LAST") != NULL)
        run_here("shutdown", self, getenv("FLOW_LAST"));
    callback_ends();
}

void ws_close_callback(void *conn)
{
    struct peer *self = (struct peer *)ws_get_data(conn);

    callback_begins("ws_close_callback");
    journal("close %d code=%d", self->number, ws_get_close_code(conn));
    run_here("closed", self, "all 0");
    callback_ends();
}
