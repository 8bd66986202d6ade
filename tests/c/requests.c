/*
 * A server of requests. What it does is told to it by X-Do headers, in ws_open_callback and ws_request_callback, and
 * later by texts that begin with '!': lists of calls with ';' between them, whose names are in the table below. What each
 * returns goes to the journal, behind "open", "request" or "did"; a text's answer is what the last call returned.
 *
 * Handles are numbered from 1 in the order of those callbacks; 0 means the one that asks, T a timer's. A number that
 * nobody has is NULL. A request without X-Do is answered 200, with its own body.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dorrit.h>
#include <string.h>
#include <sys/wait.h>
#include "journal.h"

enum { MOST_PEERS = 200000, MOST_RESULT = 20000 };

static void *peers[MOST_PEERS + 1];
static int last_peer, verdict, closed, is_quiet;
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

#include "requests_calls.h"

static const struct command {
    const char *name;
    void (*run)(void *conn, const char *args);
} commands[] = {
    {"get", do_get},         {"target", do_target},   {"address", do_address}, {"protocol", do_protocol},
    {"add", do_add},         {"body", do_body},       {"long", do_long},       {"nobody", do_nobody},
    {"choose", do_choose},   {"status", do_status},   {"defer", do_defer},     {"accept", do_accept},
    {"respond", do_respond}, {"keep", do_keep},       {"kept", do_kept},       {"send", do_send},
    {"qlen", do_qlen},       {"close", do_close},     {"return", do_return},   {"after", do_after},
    {"post", do_post},       {"all", do_all},         {"thread", do_thread},   {"fork", do_fork},
    {"stats", do_stats},     {"answerall", do_answerall},
};

static void never(void *data)
{
    (void)data;
}

/* The handle that a number names; *rest is what stands behind it. */
static void *handle(void *self, const char *args, const char **rest)
{
    char *end;
    long number;

    if (*args == 'T') {
        *rest = args + 1;
        return ws_after(1000000, never, NULL);
    }
    number = strtol(args, &end, 10);
    *rest = *end == ' ' ? end + 1 : end;
    if (number == 0)
        return self;
    return number > 0 && number <= MOST_PEERS ? peers[number] : NULL;
}

static void obey(void *self, const char *where, const char *call)
{
    size_t i, length = strcspn(call, " ");
    const char *rest = "";

    for (i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strlen(commands[i].name) == length && strncmp(commands[i].name, call, length) == 0) {
            const char *args = call[length] == ' ' ? call + length + 1 : "0";
            void *conn = handle(self, args, &rest);

            commands[i].run(conn, commands[i].run == do_return ? args : rest);
            if (!is_quiet)
                journal("%s %s: %s", where, call, result);
            return;
        }
    journal("fault: no such call: %s", call);
}

static void obey_all(void *self, const char *where, const char *list)
{
    char *copy = strdup(list), *call, *rest = copy;

    while (copy != NULL && (call = strsep(&rest, ";")) != NULL)
        obey(self, where, call + strspn(call, " "));
    free(copy);
}

static void meet(void *conn)
{
    if (conn == NULL || conn == peers[last_peer] || last_peer == MOST_PEERS)
        journal("fault: a handle comes twice, or is none");
    peers[++last_peer] = conn;
    if (ws_get_data(conn) != NULL)
        journal("fault: data before it was set");
}

/* "NAME" or "NAME=VALUE" */
static void set_option(const char *option)
{
    char *name = strdup(option), *value = strchr(name, '=');

    if (value != NULL)
        *value++ = '\0';
    if (ws_set_option(name, value) != 0)
        journal("fault: the option cannot be set");
    free(name);
}

void ws_init_func(void)
{
    journal_open();
    is_quiet = getenv("REQUESTS_QUIET") != NULL;
    if (getenv("PROBE_NAME") != NULL)
        ws_set_name(getenv("PROBE_NAME"));
    if (getenv("SET_OPTION") != NULL)
        set_option(getenv("SET_OPTION"));
}

void ws_exit_func(void)
{
    journal("exit %d", closed);
}

int ws_request_callback(void *conn, const char *method, const char *target, size_t len, const unsigned char *body)
{
    const char *list = ws_get_header(conn, "X-Do"), *asked = ws_get_target(conn);

    callback_begins("ws_request_callback");
    meet(conn);
    if (body[len] != 0 || asked == NULL || strcmp(asked, target) != 0)
        journal("fault: a body without an end, or another target");
    if (!is_quiet)
        journal("request %d %s %s %lu", last_peer, method, target, (unsigned long)len);
    verdict = 200;
    if (list != NULL)
        obey_all(conn, "request", list);
    else if (ws_set_body(conn, body, len) != 0)
        journal("fault: the body cannot be set");
    callback_ends();
    return verdict;
}

#ifndef WITHOUT_CONNECTIONS
int ws_open_callback(void *conn, char *cookie)
{
    const char *list = ws_get_header(conn, "X-Do");

    (void)cookie;
    callback_begins("ws_open_callback");
    meet(conn);
    verdict = 0;
    if (list != NULL)
        obey_all(conn, "open", list);
    callback_ends();
    return verdict;
}

void ws_read_callback(void *conn, int binary, int len, unsigned char *buffer)
{
    callback_begins("ws_read_callback");
    if (len > 0 && buffer[0] == '!') {
        obey_all(conn, "did", (char *)buffer + 1);
        ws_send(&conn, 1, 0, result, strlen(result));
    } else
        ws_send(&conn, 1, binary, buffer, (size_t)len);
    callback_ends();
}

void ws_close_callback(void *conn)
{
    int number = last_peer;

    callback_begins("ws_close_callback");
    closed++;
    while (number > 0 && peers[number] != conn)
        number--;
    if (!is_quiet)
        journal("close %d kept=%lu get=%s address=[%s] respond=%d accept=%d", number,
                (unsigned long)(size_t)ws_get_data(conn), text_of(ws_get_header(conn, "Host")), ws_get_address(conn),
                ws_respond(conn, 404), ws_accept(conn));
    callback_ends();
}
#endif
