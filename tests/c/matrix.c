/*
 * Calls every function of the library from within every callback, on the callback's own connection,
 * on another, on one that is closed, and on NULL.
 *
 * Connections have roles, which their cookies tell: "control" sends commands, "own" and "other" are
 * what they are called, "gone" is closed before anything begins. The control connection arms one cell
 * ("arm read write own"), which the next callback of that kind on an "own" connection runs; the
 * journal then says "did read write own: RESULT". The callbacks that have no connection of their own
 * (init, start, exit, the periodic function, the log's, and what the loop calls) run all that is left of their rows at
 * once, and so does the last word to an "other" one. $MATRIX_STOP names one of the first three, which has the server stop.
 */
#define _GNU_SOURCE
#include <dorrit.h>
#include <string.h>
#include "journal.h"

enum { MOST = 1000 };

static struct peer {
    void *conn;
    char role[16];
    int open;
} peers[MOST];

static int peer_count, opened, closed;
static char armed_in[16], armed_call[16], armed_on[16];
static const char *const calls[] = {
    "name",   "periodic", "set",    "get",    "qlen", "write",    "maxmessage", "compression",
    "protocols", "origins", "ping", "limit",  "header", "target", "choose",     "status",
    "send",   "protocol", "qbytes", "code",   "post",   "watch",    "after",      "cancel",
    "step",   "begin",  "main",     "fd",     "timeout", "callbacks", "option",   "address",
    "setheader", "body", "defer", "accept", "respond", "adopt", "want", "pause", "resume",
    "isopen", "each", "close0", "close1", "closecode",
};

enum { CALLS = sizeof calls / sizeof *calls };

static struct peer *find(void *conn)
{
    int i;

    for (i = peer_count; i-- > 0;)
        if (peers[i].conn == conn)
            return &peers[i];
    return NULL;
}

static void *newest(const char *role)
{
    int i;

    for (i = peer_count; i-- > 0;)
        if (strcmp(peers[i].role, role) == 0)
            return peers[i].conn;
    return (void *)(size_t)0x7fffdeadu; /* never was a connection */
}

static void *target(const char *on, void *own)
{
    if (strcmp(on, "null") == 0)
        return NULL;
    if (strcmp(on, "own") == 0)
        return own;
    return newest(strcmp(on, "closed") == 0 ? "gone" : on);
}

static void tick(void);
static void run(const char *in, const char *call, const char *on, void *own);

#include "matrix_requests.h" /* the functions for requests */
#include "matrix_loop.h" /* what the loop calls, and the functions for it */

/* The calls for what goes beyond the manuals; 0 where it is none of them. */
static int run_beyond(const char *call, void *conn, char *result)
{
    const char *header = ws_get_header(conn, "Host"), *target = ws_get_target(conn);

    if (strcmp(call, "maxmessage") == 0)
        sprintf(result, "%d", ws_set_max_message(65535));
    else if (strcmp(call, "compression") == 0)
        sprintf(result, "%d", ws_set_compression(6));
    else if (strcmp(call, "protocols") == 0)
        sprintf(result, "%d", ws_set_protocols("chat"));
    else if (strcmp(call, "origins") == 0)
        sprintf(result, "%d", ws_set_origins("https://example.org"));
    else if (strcmp(call, "ping") == 0)
        sprintf(result, "%d", ws_set_ping(50, 20));
    else if (strcmp(call, "limit") == 0)
        sprintf(result, "%d", ws_set_queue_limit(1 << 20, WS_QUEUE_CLOSE));
    else if (strcmp(call, "header") == 0)
        strcpy(result, header == NULL ? "null" : header);
    else if (strcmp(call, "target") == 0)
        strcpy(result, target == NULL ? "null" : target);
    else if (strcmp(call, "choose") == 0)
        sprintf(result, "%d", ws_choose_protocol(conn, "superchat"));
    else if (strcmp(call, "status") == 0)
        sprintf(result, "%d", ws_set_status(conn, 404));
    else if (strcmp(call, "send") == 0)
        sprintf(result, "%ld", ws_send(&conn, 1, 0, "from the matrix", 15));
    else if (strcmp(call, "protocol") == 0)
        sprintf(result, "[%s]", ws_get_protocol(conn));
    else if (strcmp(call, "qbytes") == 0)
        sprintf(result, "%lu", ws_get_qbytes(conn));
    else if (strcmp(call, "code") == 0)
        sprintf(result, "%d", ws_get_close_code(conn));
    else if (strcmp(call, "closecode") == 0)
        ws_close_conn_code(conn, 4000, "from the matrix");
    else
        return 0;
    return 1;
}

static void count_one(void *conn, void *data)
{
    *(unsigned int *)data += ws_is_open(conn) == 1;
}

/* The calls for the flow of messages; 0 where it is none of them. Nobody stays held back. */
static int run_flow(const char *call, void *conn, char *result)
{
    unsigned int found = 0;

    if (strcmp(call, "want") == 0)
        sprintf(result, "%d", ws_want_drain(conn));
    else if (strcmp(call, "pause") == 0) {
        sprintf(result, "%d", ws_pause(conn));
        ws_resume(conn);
    } else if (strcmp(call, "resume") == 0)
        sprintf(result, "%d", ws_resume(conn));
    else if (strcmp(call, "isopen") == 0)
        sprintf(result, "%d", ws_is_open(conn));
    else if (strcmp(call, "each") == 0) {
        ws_each(count_one, &found);
        strcpy(result, found == ws_count() ? "all" : "others");
    } else
        return 0;
    return 1;
}

/* One cell of the matrix: what came of it goes to the journal. */
static void run(const char *in, const char *call, const char *on, void *own)
{
    static int other_data;
    static char result[64];
    char name[] = "matrix";
    unsigned char text[] = "from the matrix";
    void *conn = target(on, own), *before;

    strcpy(result, "done");
    if (run_beyond(call, conn, result) || run_requests(call, conn, result)
        || run_flow(call, conn, result) || run_loop(call, conn, result))
        ;
    else if (strcmp(call, "name") == 0)
        ws_set_name(name);
    else if (strcmp(call, "periodic") == 0)
        ws_set_periodic(tick, 1);
    else if (strcmp(call, "set") == 0) {
        before = ws_get_data(conn);
        ws_set_data(conn, &other_data);
        strcpy(result, ws_get_data(conn) == &other_data ? "kept" : "lost");
        ws_set_data(conn, before);
    } else if (strcmp(call, "get") == 0)
        strcpy(result, ws_get_data(conn) == NULL ? "null" : "some");
    else if (strcmp(call, "qlen") == 0)
        sprintf(result, "%u", ws_get_qlen(conn));
    else if (strcmp(call, "write") == 0)
        sprintf(result, "%d", ws_write_conn(&conn, 1, 0, sizeof text - 1, text));
    else
        ws_close_conn(conn, strcmp(call, "close1") == 0);
    journal("did %s %s %s: %s", in, call, on, result);
}

static void run_where_armed(const char *in, struct peer *self)
{
    if (self == NULL || strcmp(self->role, "own") != 0 || strcmp(armed_in, in) != 0)
        return;
    armed_in[0] = '\0';
    run(in, armed_call, armed_on, self->conn);
}

static void run_all(const char *in, const char *on)
{
    int i;

    for (i = 0; i < CALLS; i++)
        run(in, calls[i], on, NULL);
}

static void tick(void)
{
    callback_begins("the periodic function");
    if (strcmp(armed_in, "periodic") == 0) {
        if (strcmp(armed_call, "all") == 0)
            run_row("periodic");
        else
            run("periodic", armed_call, armed_on, NULL);
        armed_in[0] = '\0';
    }
    callback_ends();
}

/* A request is "own", and names no connection. */
int ws_request_callback(void *conn, const char *method, const char *target, size_t len, const unsigned char *body)
{
    struct peer self;

    callback_begins("ws_request_callback");
    (void)method;
    (void)target;
    (void)len;
    (void)body;
    memset(&self, 0, sizeof self);
    self.conn = conn;
    strcpy(self.role, "own");
    run_where_armed("request", &self);
    callback_ends();
    return 200;
}

static void stop_in(const char *in)
{
    const char *where = getenv("MATRIX_STOP");

    if (where != NULL && strcmp(where, in) == 0)
        run(in, "stop", "null", NULL);
}

void ws_init_func(void)
{
    char name[] = "matrix";

    journal_open();
    callback_begins("ws_init_func");
    loop_begins();
    stop_in("init");
    run_all("init", "null");
    run_all("init", "closed");
    ws_set_name(name);
    ws_set_periodic(tick, 1);
    callback_ends();
}

int ws_start_callback(void)
{
    callback_begins("ws_start_callback");
    stop_in("start");
    run_all("start", "null");
    run_all("start", "closed");
    callback_ends();
    return 0;
}

void ws_exit_func(void)
{
    callback_begins("ws_exit_func");
    stop_in("exit");
    run_all("exit", "null");
    run_all("exit", "closed");
    run_all("exit", "other");
    if (posts_taken != posts_ran)
        journal("fault: of %d posts %d were called", posts_taken, posts_ran);
    journal("exit opened=%d closed=%d", opened, closed);
    callback_ends();
}

int ws_open_callback(void *conn, char *cookie)
{
    struct peer *self = &peers[peer_count];

    callback_begins("ws_open_callback");
    if (peer_count == MOST - 1)
        abort();
    peer_count++;
    opened++;
    self->conn = conn;
    self->open = 1;
    strncpy(self->role, cookie, sizeof self->role - 1);
    run_where_armed("open", self);
    ws_set_data(conn, self);
    callback_ends();
    return 0;
}

void ws_read_callback(void *conn, int binary, int len, unsigned char *buffer)
{
    struct peer *self = find(conn);

    callback_begins("ws_read_callback");
    if (self == NULL || !self->open || ws_get_data(conn) != self)
        journal("fault: a message of a connection that is not open");
    else if (strcmp(self->role, "control") == 0 &&
             sscanf((char *)buffer, "arm %15s %15s %15s", armed_in, armed_call, armed_on) == 3) {
        call_row();
        ws_write_conn(&conn, 1, 0, 5, (unsigned char *)memcpy(buffer, "armed", 5));
    } else {
        run_where_armed("read", self);
        if (ws_write_conn(&conn, 1, binary, (unsigned int)len, buffer) != 0)
            journal("fault: the echo was not queued");
        if (strcmp(armed_in, "drain") == 0 && strcmp(self->role, "own") == 0 && ws_get_qlen(conn) == 0)
            journal("fault: the echo is not in the queue");
    }
    callback_ends();
}

/* It follows where the program was told that something is queued. */
void ws_drain_callback(void *conn)
{
    callback_begins("ws_drain_callback");
    run_where_armed("drain", find(conn));
    callback_ends();
}

/* The last callback before everybody is closed, who are all there. */
void ws_shutdown_callback(void *conn)
{
    struct peer *self = find(conn);

    callback_begins("ws_shutdown_callback");
    stop_in("shutdown");
    if (self != NULL && strcmp(self->role, "other") == 0 && strcmp(armed_in, "shutdown") == 0)
        run_row("shutdown");
    callback_ends();
}

void ws_close_callback(void *conn)
{
    struct peer *self = find(conn);

    callback_begins("ws_close_callback");
    closed++;
    if (self == NULL || !self->open || ws_get_data(conn) != self)
        journal("fault: a close callback of a connection that is not open");
    else {
        self->open = 0;
        run_where_armed("close", self);
        journal("close %s", self->role);
    }
    callback_ends();
}
