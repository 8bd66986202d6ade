/*
 * A server that is told what to post, to watch and to await. A text that begins with '!' is a list of calls with ';'
 * between them, from the tables of this file and of those that it includes; it is answered by what the last call
 * returned. All other messages come back. The same lists, one a line, are run where the program is: $TASKS_EARLY before
 * main, $TASKS_INIT and $TASKS_START in the functions of these names, $TASKS_CLOSE in ws_close_callback, $TASKS_EXIT in
 * ws_exit_func, $TASKS_LATE behind main. There what each call returned goes to the journal.
 *
 * A task has a name, and is what posts, timers and watches are given as their data. "let NAME CALLS" says what it does
 * when it runs: "let" takes the rest of its line.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dorrit.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include "journal.h"

enum { MOST_TASKS = 32, MOST_PEERS = 64, MOST_TOLD = 20 };

struct task {
    char name[16], script[400];
    int count, fd[2];
    void *timer;
};

static struct task tasks[MOST_TASKS], *running;
static void *peers[MOST_PEERS + 1], *asking;
static int last_peer;
static char result[2048];

static void answer(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(result, sizeof result, format, args);
    va_end(args);
}

static struct task *task(const char *name)
{
    size_t length = strcspn(name, " ");
    int i;

    for (i = 0; i < MOST_TASKS && tasks[i].name[0] != '\0'; i++)
        if (strlen(tasks[i].name) == length && strncmp(tasks[i].name, name, length) == 0)
            return &tasks[i];
    if (i == MOST_TASKS || length >= sizeof tasks->name)
        abort();
    memcpy(tasks[i].name, name, length);
    tasks[i].fd[0] = tasks[i].fd[1] = -1;
    return &tasks[i];
}

/* The word behind the first one. */
static const char *behind(const char *args)
{
    args += strcspn(args, " ");
    return args + strspn(args, " ");
}

static void *peer(const char *args)
{
    int number = atoi(args);

    return number > 0 && number <= MOST_PEERS ? peers[number] : asking;
}

static long millis(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void run_calls(const char *where, const char *calls);

static void run_task(struct task *self)
{
    struct task *before = running;

    running = self;
    run_calls(self->count <= MOST_TOLD ? self->name : NULL, self->script);
    running = before;
}

/* What posts and timers call. */
static void on_task(void *data)
{
    struct task *self = (struct task *)data;

    callback_begins("a task");
    if (++self->count <= MOST_TOLD)
        journal("ran %s %ld", self->name, millis());
    run_task(self);
    callback_ends();
}

/* What watches call. */
static void on_ready(int fd, int events, void *data)
{
    struct task *self = (struct task *)data;

    callback_begins("a watch");
    if (++self->count <= MOST_TOLD)
        journal("ready %s %d", self->name, events);
    if (fd != self->fd[0])
        journal("fault: %s is told of descriptor %d", self->name, fd);
    run_task(self);
    callback_ends();
}

#include "tasks_fds.h"     /* the calls about descriptors */
#include "tasks_timers.h"  /* those about timers */
#include "tasks_threads.h" /* those that start threads and children */

static void do_post(const char *args)
{
    answer("%d", ws_post(strcmp(args, "NULL") == 0 ? NULL : on_task, task(args)));
}

/* "posts COUNT NAME" */
static void do_posts(const char *args)
{
    int i, failed = 0;

    for (i = 0; i < atoi(args); i++)
        failed += ws_post(on_task, task(behind(args))) != 0;
    answer("%d", failed);
}

static void do_count(const char *args)
{
    answer("%d", task(args)->count);
}

static void do_sleep(const char *args)
{
    struct timespec time;

    time.tv_sec = 0;
    time.tv_nsec = atol(args) * 1000000;
    nanosleep(&time, NULL);
    answer("%ld", millis());
}

static void do_stop(const char *args)
{
    (void)args;
    ws_stop();
    answer("told");
}

static void do_close(const char *args)
{
    ws_close_conn(peer(args), 0);
    answer("closed");
}

static void do_send(const char *args)
{
    void *conn = peer(args);

    answer("%ld", ws_send(&conn, 1, 0, behind(args), strlen(behind(args))));
}

static void do_say(const char *args)
{
    journal("say %s", args);
}

static void do_process(const char *args)
{
    (void)args;
    answer("%ld %ld", (long)getpid(), (long)geteuid());
}

static void do_syslog(const char *args)
{
    syslog(LOG_NOTICE, "%s", args);
    answer("logged");
}

static void call(const char *text);

/* "when COUNT CALL": where the task that runs does so for that time. */
static void do_when(const char *args)
{
    if (running != NULL && running->count == atoi(args))
        call(behind(args));
}

static const struct command {
    const char *name;
    void (*run)(const char *args);
} commands[] = {
    {"post", do_post},       {"posts", do_posts},         {"after", do_after},         {"cancel", do_cancel},
    {"asconn", do_asconn},   {"cancelany", do_cancelany}, {"cancelconn", do_cancelconn}, {"many", do_many},
    {"cancelmany", do_cancelmany}, {"count", do_count},   {"sleep", do_sleep},         {"stop", do_stop},
    {"close", do_close},     {"send", do_send},           {"say", do_say},             {"process", do_process},
    {"syslog", do_syslog},   {"when", do_when},           {"open", do_open},           {"watch", do_watch},
    {"watchnull", do_watchnull}, {"watchfd", do_watchfd}, {"put", do_put},             {"get", do_get},
    {"fill", do_fill},       {"hangup", do_hangup},       {"half", do_half},           {"shut", do_shut},
    {"dup", do_dup},         {"fd", do_fd},               {"walk", do_walk},           {"threads", do_threads},
    {"posted", do_posted},   {"burst", do_burst},         {"gate", do_gate},           {"all", do_all},
    {"foreign", do_foreign}, {"forked", do_forked},       {"wait", do_wait},
};

static void call(const char *text)
{
    size_t i, length = strcspn(text, " ");

    for (i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strlen(commands[i].name) == length && strncmp(commands[i].name, text, length) == 0) {
            commands[i].run(behind(text));
            return;
        }
    journal("fault: no such call: %s", text);
}

/* Runs a list of calls. With a place, what each returned goes to the journal. */
static void run_calls(const char *where, const char *calls)
{
    char text[sizeof tasks->script + 64];
    size_t length;

    for (; *calls != '\0'; calls += length + strspn(calls + length, ";\n")) {
        int is_let = strncmp(calls, "let ", 4) == 0;

        length = strcspn(calls, is_let ? "\n" : ";\n");
        if (length >= sizeof text)
            abort();
        memcpy(text, calls, length);
        text[length] = '\0';
        strcpy(result, "done");
        if (is_let)
            strcpy(task(text + 4)->script, behind(text + 4));
        else
            call(text);
        if (where != NULL && !is_let)
            journal("%s %s: %s", where, text, result);
    }
}

static void run_variable(const char *where, const char *name)
{
    if (getenv(name) != NULL)
        run_calls(where, getenv(name));
}

__attribute__((constructor)) static void before_main(void)
{
    journal_open();
    fchmod(journal_fd, 0666); /* the next start, of a hand-over, is another user's */
    run_variable("early", "TASKS_EARLY");
}

static void behind_main(void)
{
    run_variable("late", "TASKS_LATE");
}

void ws_init_func(void)
{
    callback_begins("ws_init_func");
    if (getenv("PROBE_NAME") != NULL)
        ws_set_name(getenv("PROBE_NAME"));
    if (getenv("TASKS_LATE") != NULL)
        atexit(behind_main);
    journal("init %ld %ld", (long)getpid(), (long)geteuid());
    run_variable("init", "TASKS_INIT");
    callback_ends();
}

int ws_start_callback(void)
{
    callback_begins("ws_start_callback");
    journal("start %ld %ld", (long)getpid(), (long)geteuid());
    run_variable("start", "TASKS_START");
    callback_ends();
    return 0;
}

void ws_exit_func(void)
{
    callback_begins("ws_exit_func");
    run_variable("exit", "TASKS_EXIT");
    journal("exit %ld", (long)getpid());
    callback_ends();
}

int ws_open_callback(void *conn, char *cookie)
{
    (void)cookie;
    callback_begins("ws_open_callback");
    if (last_peer < MOST_PEERS)
        peers[++last_peer] = conn;
    journal("open %d", last_peer);
    callback_ends();
    return 0;
}

void ws_read_callback(void *conn, int binary, int len, ws_byte *buffer)
{
    callback_begins("ws_read_callback");
    if (!binary && buffer[0] == '!') {
        asking = conn;
        strcpy(result, "done");
        run_calls(NULL, (const char *)buffer + 1);
        ws_send(&conn, 1, 0, result, strlen(result));
        asking = NULL;
    } else
        ws_send(&conn, 1, binary, buffer, (size_t)len);
    callback_ends();
}

void ws_close_callback(void *conn)
{
    (void)conn;
    callback_begins("ws_close_callback");
    run_variable("close", "TASKS_CLOSE");
    journal("close");
    callback_ends();
}
