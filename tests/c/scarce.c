/*
 * An echo server that asks the library for all that there is, and takes a failure of its calls as it is. "!all" sends
 * a message to every connection: where that fails, nothing is queued for any (CONTRACT D17). "!close" closes. The
 * "!eat" takes all the memory that there is. Its lists are longer than what the library's reserve has. The
 * journal has "open NUMBER" for each connection that was accepted, and "close NUMBER" for each that has ended.
 */
#define _GNU_SOURCE
#include <dorrit.h>
#include <string.h>
#include <sys/resource.h>
#include "journal.h"

enum { MOST = 4096, LENGTH = 3000, LONG = 100000 };

static void *conns[MOST];
static int numbers[MOST], count;
static unsigned char pattern[LENGTH];

static void tick(void)
{
    callback_begins("the periodic function");
    callback_ends();
}

/* A list of so many times that item. */
static const char *list_of(const char *item)
{
    static char list[LONG];
    size_t length = strlen(item), end;

    for (end = 0; end + 2 * length + 1 < sizeof list; end += length + 1) {
        memcpy(list + end, item, length);
        list[end + length] = ',';
    }
    memcpy(list + end, item, length + 1);
    return list;
}

void ws_init_func(void)
{
    char name[] = "scarce";

    journal_open();
    memset(pattern, 'p', sizeof pattern);
    if (getenv("PROBE_NAME") != NULL)
        ws_set_name(getenv("PROBE_NAME"));
    else
        ws_set_name(name);
    ws_set_periodic(tick, 3600);
    ws_set_name(list_of("name"));
    ws_set_origins(list_of("https://example.org"));
    ws_set_protocols(list_of("other"));
    ws_set_protocols("chat, other");
}

void ws_exit_func(void)
{
    journal("exit");
}

int ws_open_callback(void *conn, char *cookie)
{
    const char *target, *header;

    callback_begins("ws_open_callback");
    target = ws_get_target(conn);
    header = ws_get_header(conn, "X-Long");
    if ((target != NULL && target[0] != '/') || (header != NULL && header[0] != 'x'))
        journal("fault: a header or a target that was not sent");
    ws_choose_protocol(conn, "other");
    callback_ends();
    if (strcmp(cookie, "refuse") == 0 || count == MOST) {
        ws_set_status(conn, 429);
        return 1;
    }
    numbers[count] = count + 1;
    conns[count] = conn;
    ws_set_data(conn, &numbers[count]);
    journal("open %d", numbers[count++]);
    ws_write_conn(&conn, 1, 0, 5, (unsigned char *)"hello");
    return 0;
}

static void send_to_all(void)
{
    static unsigned long before[MOST];
    int i;

    for (i = 0; i < count; i++)
        before[i] = ws_get_qbytes(conns[i]);
    if (ws_write_conn(conns, count, 0, LENGTH, pattern) == 0)
        return;
    for (i = 0; i < count; i++)
        if (ws_get_qbytes(conns[i]) != before[i])
            journal("fault: it was queued for one of them");
}

/* The address space becomes no larger, and what is left of it is taken. */
static void eat(void)
{
    FILE *statm = fopen("/proc/self/statm", "r");
    struct rlimit limit;
    unsigned long pages = 0;
    size_t size;

    if (statm == NULL || fscanf(statm, "%lu", &pages) != 1)
        journal("fault: how large is it?");
    if (statm != NULL)
        fclose(statm);
    getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
    setrlimit(RLIMIT_AS, &limit);
    for (size = 1 << 20; size >= 16; size /= 2)
        while (malloc(size) != NULL)
            ;
}

void ws_read_callback(void *conn, int binary, int len, unsigned char *buffer)
{
    callback_begins("ws_read_callback");
    if (buffer[len] != 0)
        journal("fault: a message of %d bytes is not terminated", len);
    if (strcmp((char *)buffer, "!all") == 0)
        send_to_all();
    else if (strcmp((char *)buffer, "!eat") == 0)
        eat();
    else if (strcmp((char *)buffer, "!close") == 0)
        ws_close_conn_code(conn, 4000, "as it was asked");
    else if (len > 0)
        ws_write_conn(&conn, 1, binary, (unsigned int)len, buffer);
    callback_ends();
}

void ws_close_callback(void *conn)
{
    int *number = ws_get_data(conn);

    callback_begins("ws_close_callback");
    if (number == NULL || *number == 0)
        journal("fault: an end that was told before, or of nobody");
    else {
        journal("close %d", *number);
        *number = 0;
    }
    callback_ends();
}
