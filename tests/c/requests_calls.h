/* The calls that requests.c makes for its clients, each with the handle that its first argument names. */
#include <pthread.h>

static void do_get(void *conn, const char *args)
{
    answer("%s", text_of(ws_get_header(conn, args)));
}

static void do_target(void *conn, const char *args)
{
    (void)args;
    answer("%s", text_of(ws_get_target(conn)));
}

static void do_address(void *conn, const char *args)
{
    (void)args;
    answer("[%s]", ws_get_address(conn));
}

static void do_protocol(void *conn, const char *args)
{
    (void)args;
    answer("[%s]", ws_get_protocol(conn));
}

/* "add NUMBER NAME=VALUE", in which % is a newline, ^ a carriage return, ~ another control character, and NULL none; they are changed behind the call. */
static void do_add(void *conn, const char *args)
{
    char *name = strdup(args), *value = name + strcspn(name, "="), *at;
    int added;

    if (*value == '=')
        *value++ = '\0';
    for (at = name; at < value + strlen(value); at++)
        *at = *at == '%' ? '\n' : *at == '^' ? '\r' : *at == '~' ? '\001' : *at;
    added = ws_set_header(conn, strcmp(name, "NULL") == 0 ? NULL : name, strcmp(value, "NULL") == 0 ? NULL : value);
    memset(name, '#', strlen(args));
    free(name);
    answer("%d", added);
}

/* "body NUMBER TEXT"; it is changed behind the call. */
static void do_body(void *conn, const char *args)
{
    char *text = strdup(args);
    int set = ws_set_body(conn, text, strlen(text));

    memset(text, '#', strlen(args));
    free(text);
    answer("%d", set);
}

/* "long NUMBER LENGTH": a body of that many bytes, all values among them. */
static void do_long(void *conn, const char *args)
{
    size_t i, length = strtoul(args, NULL, 10);
    unsigned char *bytes = (unsigned char *)malloc(length);

    for (i = 0; i < length; i++)
        bytes[i] = (unsigned char)i;
    answer("%d", ws_set_body(conn, bytes, length));
    free(bytes);
}

/* NULL, with a length and without one. */
static void do_nobody(void *conn, const char *args)
{
    int none = ws_set_body(conn, NULL, 5);

    (void)args;
    answer("%d %d", none, ws_set_body(conn, NULL, 0));
}

static void do_choose(void *conn, const char *args)
{
    answer("%d", ws_choose_protocol(conn, args));
}

static void do_status(void *conn, const char *args)
{
    answer("%d", ws_set_status(conn, atoi(args)));
}

static void do_defer(void *conn, const char *args)
{
    (void)args;
    answer("%d", ws_defer(conn));
}

static void do_accept(void *conn, const char *args)
{
    (void)args;
    answer("%d", ws_accept(conn));
}

static void do_respond(void *conn, const char *args)
{
    answer("%d", ws_respond(conn, atoi(args)));
}

/* "keep NUMBER VALUE": by ws_set_data. */
static void do_keep(void *conn, const char *args)
{
    ws_set_data(conn, (void *)(size_t)strtoul(args, NULL, 10));
    answer("%lu", (unsigned long)(size_t)ws_get_data(conn));
}

static void do_kept(void *conn, const char *args)
{
    (void)args;
    answer("%lu", (unsigned long)(size_t)ws_get_data(conn));
}

static void do_send(void *conn, const char *args)
{
    answer("%ld", ws_send(&conn, 1, 0, args, strlen(args)));
}

static void do_qlen(void *conn, const char *args)
{
    (void)args;
    answer("%u %lu", ws_get_qlen(conn), ws_get_qbytes(conn));
}

/* "close NUMBER FORCE" */
static void do_close(void *conn, const char *args)
{
    ws_close_conn(conn, atoi(args));
    answer("closed");
}

/* What the callback returns. */
static void do_return(void *conn, const char *args)
{
    (void)conn;
    verdict = atoi(args);
    answer("%d", verdict);
}

/* A decision that comes by itself: 101 accepts. */
struct decision {
    void *conn;
    int status;
};

static void decide(void *data)
{
    struct decision *it = (struct decision *)data;
    int done = it->status == 101 ? ws_accept(it->conn) : ws_respond(it->conn, it->status);

    callback_begins("a decision");
    journal("decided %d: %d", it->status, done);
    callback_ends();
    free(it);
}

static struct decision *decision(void *conn, const char *args)
{
    struct decision *it = (struct decision *)malloc(sizeof *it);

    it->conn = conn;
    it->status = atoi(args);
    return it;
}

/* "after NUMBER STATUS": by a timer. */
static void do_after(void *conn, const char *args)
{
    answer("%s", ws_after(1, decide, decision(conn, args)) != NULL ? "set" : "null");
}

static void *post_decision(void *data)
{
    if (ws_post(decide, data) != 0)
        abort();
    return NULL;
}

/* "post NUMBER STATUS": by another thread. */
static void do_post(void *conn, const char *args)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, post_decision, decision(conn, args)) != 0)
        abort();
    pthread_detach(thread);
    answer("posted");
}

static void everything(void *conn)
{
    const char *address = ws_get_address(conn);
    int header = ws_set_header(conn, "X-Wrong", "thread"), body = ws_set_body(conn, "wrong", 5);
    int deferred = ws_defer(conn), accepted = ws_accept(conn), responded = ws_respond(conn, 404);

    answer("header=%d body=%d defer=%d accept=%d respond=%d adopt=%d address=[%s]", header, body, deferred, accepted,
           responded, ws_adopt(0, NULL, 0), address);
}

static void do_all(void *conn, const char *args)
{
    (void)args;
    everything(conn);
}

static void *on_a_thread(void *conn)
{
    everything(conn);
    return NULL;
}

/* Every function on another thread. */
static void do_thread(void *conn, const char *args)
{
    pthread_t thread;

    (void)args;
    if (pthread_create(&thread, NULL, on_a_thread, conn) != 0 || pthread_join(thread, NULL) != 0)
        abort();
}

/* And in a child. */
static void do_fork(void *conn, const char *args)
{
    int fd[2];
    ssize_t length;
    pid_t child;

    (void)args;
    if (pipe(fd) != 0 || (child = fork()) < 0)
        abort();
    if (child == 0) {
        everything(conn);
        _exit(write(fd[1], result, strlen(result)) < 0);
    }
    close(fd[1]);
    length = read(fd[0], result, sizeof result - 1);
    result[length < 0 ? 0 : length] = '\0';
    close(fd[0]);
    waitpid(child, NULL, 0);
}

/* Answers all that were put off, with 200, or accepts them. */
static void do_answerall(void *conn, const char *args)
{
    int number, answered = 0;

    (void)conn;
    (void)args;
    for (number = 1; number <= last_peer; number++)
        answered += ws_respond(peers[number], 200) == 0 || ws_accept(peers[number]) == 0;
    answer("%d", answered);
}

static void do_stats(void *conn, const char *args)
{
    struct ws_stats it;

    (void)conn;
    (void)args;
    ws_get_stats(&it, sizeof it);
    answer("requests=%llu connections=%llu accepted=%llu bad=%llu slow=%llu program=%llu held=%llu", it.requests,
           it.connections, it.accepted, it.refused_bad, it.refused_slow, it.refused_program, it.held_bytes);
}
