/*
 * A server for what goes beyond the manuals. What it does is told to it: in ws_init_func by $BEYOND_INIT, in
 * ws_open_callback by the request's X-Do headers, later by texts that begin with '!'. Each is a list of calls with ';'
 * between them; the names are in the table at the end of this file. What each returns goes to the journal, behind
 * "init", "open" or "did". A text's answer is what the last call returned; all other messages come back by ws_send.
 *
 * Connections are numbered from 1 in the order of ws_open_callback; 0 means the one that asks. A number that nobody has
 * is NULL.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dorrit.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include "journal.h"

enum { MOST_PEERS = 2000, LONGEST = 16 << 20, MOST_RESULT = 20000 };

struct peer {
    void *conn;
    int number, open;
};

static struct peer peers[MOST_PEERS + 1];
static int last_peer, verdict, quiet;
static unsigned char *pattern; /* LONGEST bytes that compress well, all of them text */
static char result[MOST_RESULT + 1];

static void answer(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(result, sizeof result, format, args);
    va_end(args);
}

static const char *text_of(const char *string)
{
    return string == NULL ? "(null)" : string;
}

/* The number at the start of the arguments, as a handle; *rest is what stands behind it. */
static void *handle(struct peer *self, const char *args, const char **rest)
{
    char *end;
    long number = strtol(args, &end, 10);

    *rest = end + strspn(end, " ");
    if (number == 0)
        return self == NULL ? NULL : self->conn;
    return number > 0 && number <= MOST_PEERS ? peers[number].conn : NULL;
}

#include "setters.h" /* the calls for ws_init_func */
#include "figures.h" /* those that ask for the figures */

static void do_header(struct peer *self, const char *args)
{
    const char *name;
    void *conn = handle(self, args, &name);

    answer("%s", text_of(ws_get_header(conn, strcmp(name, "NULL") == 0 ? NULL : name)));
}

static void do_target(struct peer *self, const char *args)
{
    const char *rest;

    answer("%s", text_of(ws_get_target(handle(self, args, &rest))));
}

static void do_choose(struct peer *self, const char *args)
{
    const char *name;
    void *conn = handle(self, args, &name);

    answer("%d", ws_choose_protocol(conn, strcmp(name, "NULL") == 0 ? NULL : name));
}

static void do_status(struct peer *self, const char *args)
{
    const char *status;
    void *conn = handle(self, args, &status);

    answer("%d", ws_set_status(conn, atoi(status)));
}

static void do_protocol(struct peer *self, const char *args)
{
    const char *rest;

    answer("[%s]", text_of(ws_get_protocol(handle(self, args, &rest))));
}

static void do_qbytes(struct peer *self, const char *args)
{
    const char *rest;

    answer("%lu", ws_get_qbytes(handle(self, args, &rest)));
}

static void do_qlen(struct peer *self, const char *args)
{
    const char *rest;

    answer("%u", ws_get_qlen(handle(self, args, &rest)));
}

static void do_code(struct peer *self, const char *args)
{
    const char *rest;

    answer("%d", ws_get_close_code(handle(self, args, &rest)));
}

/* "closecode NUMBER CODE REASON" */
static void do_closecode(struct peer *self, const char *args)
{
    const char *rest;
    char *reason;
    void *conn = handle(self, args, &rest);
    int code = (int)strtol(rest, &reason, 10);

    reason += strspn(reason, " ");
    ws_close_conn_code(conn, code, strcmp(reason, "NULL") == 0 ? NULL : reason);
    answer("closed");
}

/* "close NUMBER FORCE" */
static void do_close(struct peer *self, const char *args)
{
    const char *force;
    void *conn = handle(self, args, &force);

    ws_close_conn(conn, atoi(force));
    answer("closed");
}

/* "send NUMBER BINARY LENGTH TIMES": what all calls have returned together, and what the last one has. */
static void do_send(struct peer *self, const char *args)
{
    const char *rest;
    void *conn = handle(self, args, &rest);
    int binary = 0, times = 1;
    size_t length = 0;
    long sum = 0, last = 0;

    sscanf(rest, "%d %zu %d", &binary, &length, &times);
    while (times-- > 0)
        sum += last = ws_send(&conn, 1, binary, length == 0 ? NULL : pattern, length);
    answer("%ld %ld", sum, last);
}

/* "sendall BINARY LENGTH TIMES": the same, to every connection that is open. */
static void do_sendall(struct peer *self, const char *args)
{
    static void *conns[MOST_PEERS];
    int binary = 0, times = 1, count = 0, i;
    size_t length = 0;
    long sum = 0, last = 0;

    (void)self;
    sscanf(args, "%d %zu %d", &binary, &length, &times);
    for (i = 1; i <= last_peer; i++)
        if (peers[i].open)
            conns[count++] = peers[i].conn;
    while (times-- > 0)
        sum += last = ws_send(conns, count, binary, pattern, length);
    answer("%ld %ld", sum, last);
}

/* ws_send with every argument that cannot be, and then with some that can. */
static void do_misuse(struct peer *self, const char *args)
{
    void *mixed[5];
    long nobody, none, negative, lost, all_of_them, empty;

    (void)args;
    mixed[0] = NULL;
    mixed[1] = self->conn;
    mixed[2] = (void *)(size_t)0xdeadbeefu;
    mixed[3] = self->conn;
    mixed[4] = NULL;
    nobody = ws_send(NULL, 1, 0, pattern, 5);
    none = ws_send(&self->conn, 0, 0, pattern, 5);
    negative = ws_send(&self->conn, -1, 0, pattern, 5);
    lost = ws_send(&self->conn, 1, 0, NULL, 5);
    all_of_them = ws_send(mixed, 5, 0, pattern, 5);
    empty = ws_send(&self->conn, 1, 1, pattern, 0);
    answer("%ld %ld %ld %ld %ld %ld", nobody, none, negative, lost, all_of_them, empty);
}

/* Every function on another thread. */
static void *on_a_thread(void *pointer)
{
    struct peer *self = (struct peer *)pointer;
    int sum = ws_set_max_message(10) + ws_set_compression(1) + ws_set_protocols("*") + ws_set_origins("null") +
              ws_set_ping(1, 1) + ws_set_queue_limit(1, WS_QUEUE_SKIP) + ws_choose_protocol(self->conn, "chat") +
              ws_set_status(self->conn, 404);

    ws_close_conn_code(self->conn, 4000, "from a thread");
    answer("send=%ld sum=%d header=%s target=%s protocol=[%s] qbytes=%lu code=%d",
           ws_send(&self->conn, 1, 0, pattern, 5), sum, text_of(ws_get_header(self->conn, "Host")),
           text_of(ws_get_target(self->conn)), text_of(ws_get_protocol(self->conn)), ws_get_qbytes(self->conn),
           ws_get_close_code(self->conn));
    return NULL;
}

static void do_thread(struct peer *self, const char *args)
{
    pthread_t thread;

    (void)args;
    if (pthread_create(&thread, NULL, on_a_thread, self) != 0 || pthread_join(thread, NULL) != 0)
        journal("fault: no thread");
}

/* Takes memory away, then sends a message to itself and to the first connection. */
static void do_oom(struct peer *self, const char *args)
{
    const size_t size = (size_t)256 << 20;
    void *conns[2], *large = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    struct rlimit before, after;
    unsigned long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    long sent;

    (void)args;
    if (large == MAP_FAILED || statm == NULL || fscanf(statm, "%lu", &pages) != 1)
        journal("fault: no memory for the test itself");
    if (statm != NULL)
        fclose(statm);
    getrlimit(RLIMIT_AS, &before);
    after = before;
    after.rlim_cur = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + ((rlim_t)64 << 20);
    setrlimit(RLIMIT_AS, &after);
    conns[0] = self->conn;
    conns[1] = peers[1].conn;
    sent = ws_send(conns, 2, 1, large, size);
    setrlimit(RLIMIT_AS, &before);
    munmap(large, size);
    answer("%ld %lu %lu", sent, ws_get_qbytes(conns[0]), ws_get_qbytes(conns[1]));
}

/* "return N": what ws_open_callback returns. */
static void do_return(struct peer *self, const char *args)
{
    (void)self;
    verdict = atoi(args);
    answer("%d", verdict);
}

/* From now on messages are swallowed. */
static void do_quiet(struct peer *self, const char *args)
{
    (void)self;
    (void)args;
    quiet = 1;
    answer("quiet");
}

static const struct command {
    const char *name;
    void (*run)(struct peer *self, const char *args);
} commands[] = {
    {"max_message", do_max_message}, {"compression", do_compression}, {"protocols", do_protocols},
    {"origins", do_origins},         {"ping", do_ping},               {"limit", do_limit},
    {"header", do_header},           {"target", do_target},           {"choose", do_choose},
    {"status", do_status},           {"protocol", do_protocol},       {"qbytes", do_qbytes},
    {"qlen", do_qlen},               {"code", do_code},               {"closecode", do_closecode},
    {"close", do_close},             {"send", do_send},               {"sendall", do_sendall},
    {"misuse", do_misuse},           {"thread", do_thread},           {"oom", do_oom},
    {"return", do_return},           {"quiet", do_quiet},             {"stats", do_stats},
    {"sizes", do_sizes},             {"stats_thread", do_stats_thread},
};

static void obey(struct peer *self, const char *where, const char *command)
{
    size_t i, length = strcspn(command, " ");

    for (i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strlen(commands[i].name) == length && strncmp(commands[i].name, command, length) == 0) {
            commands[i].run(self, command[length] == ' ' ? command + length + 1 : command + length);
            journal("%s %s: %s", where, command, result);
            return;
        }
    journal("fault: no such command: %s", command);
}

static void obey_all(struct peer *self, const char *where, const char *list)
{
    char *copy = strdup(list), *command, *rest = copy;

    while (copy != NULL && (command = strsep(&rest, ";")) != NULL)
        obey(self, where, command + strspn(command, " "));
    free(copy);
}

void ws_init_func(void)
{
    size_t i;

    journal_open();
    pattern = (unsigned char *)malloc(LONGEST);
    if (pattern == NULL)
        abort();
    for (i = 0; i < LONGEST; i++)
        pattern[i] = (unsigned char)('a' + i % 26);
    if (getenv("BEYOND_INIT") != NULL)
        obey_all(NULL, "init", getenv("BEYOND_INIT"));
}

void ws_exit_func(void)
{
    obey_all(NULL, "exit", "stats");
    free(pattern);
}

int ws_open_callback(void *conn, char *cookie)
{
    struct peer *self = &peers[++last_peer];
    const char *list = ws_get_header(conn, "x-do");

    (void)cookie;
    callback_begins("ws_open_callback");
    verdict = 0;
    self->conn = conn;
    self->number = last_peer;
    ws_set_data(conn, self);
    if (list != NULL)
        obey_all(self, "open", list);
    self->open = verdict == 0;
    callback_ends();
    return verdict;
}

void ws_read_callback(void *conn, int binary, int len, unsigned char *buffer)
{
    struct peer *self = (struct peer *)ws_get_data(conn);

    callback_begins("ws_read_callback");
    if (len < 0 || buffer[len] != 0)
        journal("fault: a message of %d bytes is not terminated", len);
    if (!binary && buffer[0] == '!') {
        obey_all(self, "did", (const char *)buffer + 1);
        ws_send(&conn, 1, 0, result, strlen(result));
    } else if (quiet)
        journal("read %d %d", self->number, len);
    else if (ws_send(&conn, 1, binary, buffer, (size_t)len) != 1)
        journal("fault: the echo was not queued");
    callback_ends();
}

void ws_drain_callback(void *conn)
{
    struct peer *self = (struct peer *)ws_get_data(conn);

    callback_begins("ws_drain_callback");
    journal("drain %d qbytes=%lu qlen=%u", self->number, ws_get_qbytes(conn), ws_get_qlen(conn));
    callback_ends();
}

void ws_close_callback(void *conn)
{
    struct peer *self = (struct peer *)ws_get_data(conn);

    callback_begins("ws_close_callback");
    if (!self->open)
        journal("fault: a close callback of a connection that is not open");
    self->open = 0;
    journal("close %d code=%d protocol=[%s] header=%s send=%ld", self->number, ws_get_close_code(conn),
            text_of(ws_get_protocol(conn)), text_of(ws_get_header(conn, "Host")), ws_send(&conn, 1, 0, "late", 4));
    callback_ends();
}
