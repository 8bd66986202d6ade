/*
 * An echo server that counts what the process allocates: malloc and its kin are defined here, in front of the C
 * library's. A text that begins with '!' is a command: "!allocations", "!bytes", "!starve LENGTH", "!mark".
 */
#define _GNU_SOURCE
#include <dorrit.h>
#include <errno.h>
#include <malloc.h>
#include <string.h>
#include "journal.h"

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *old);

static unsigned long allocations;
static long bytes;
static long fail_at = -1; /* the allocation that fails, counted down; -1: none */
static int failed;

static int fails(void)
{
    if (fail_at < 0 || fail_at-- != 0)
        return 0;
    failed = 1;
    errno = ENOMEM;
    return 1;
}

static void *counted(void *pointer)
{
    if (pointer != NULL) {
        allocations++;
        bytes += (long)malloc_usable_size(pointer);
    }
    return pointer;
}

void *malloc(size_t size)
{
    return fails() ? NULL : counted(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
    return fails() ? NULL : counted(__libc_calloc(count, size));
}

void *realloc(void *old, size_t size)
{
    long before = old == NULL ? 0 : (long)malloc_usable_size(old);
    void *pointer;

    if (fails())
        return NULL;
    pointer = counted(__libc_realloc(old, size));
    if (pointer != NULL)
        bytes -= before;
    return pointer;
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return fails() ? NULL : counted(__libc_memalign(alignment, size));
}

int posix_memalign(void **pointer, size_t alignment, size_t size)
{
    void *it = aligned_alloc(alignment, size);

    if (it == NULL)
        return ENOMEM;
    *pointer = it;
    return 0;
}

void free(void *old)
{
    if (old != NULL)
        bytes -= (long)malloc_usable_size(old);
    __libc_free(old);
}

static void reply(void *conn, long number)
{
    static char text[32];
    int length = snprintf(text, sizeof text, "%ld", number);

    ws_write_conn(&conn, 1, 0, (unsigned int)length, (unsigned char *)text);
}

/*
 * One ws_write_conn for each allocation that it makes, in which that allocation fails; the answer is how many there
 * were, or -1 where a failure was not reported as CONTRACT D17 says.
 */
static long starve(void *conn, unsigned int length)
{
    static unsigned char payload[1 << 20];
    unsigned int before = ws_get_qlen(conn);
    long nth;

    for (nth = 0; nth < 100; nth++) {
        int result;

        failed = 0;
        fail_at = nth;
        result = ws_write_conn(&conn, 1, 1, length, payload);
        fail_at = -1;
        if (!failed)
            return result == 0 ? nth : -1;
        if (result != -1 || ws_get_qlen(conn) != before)
            return -1;
    }
    return -1;
}

void ws_init_func(void)
{
    journal_open();
    journal("init");
}

void ws_exit_func(void)
{
    journal("exit");
}

int ws_open_callback(void *conn, char *cookie)
{
    (void)conn;
    (void)cookie;
    return 0;
}

void ws_read_callback(void *conn, int binary, int len, unsigned char *buffer)
{
    const char *text = (const char *)buffer;

    if (text[0] != '!')
        ws_write_conn(&conn, 1, binary, (unsigned int)len, buffer);
    else if (strcmp(text, "!allocations") == 0)
        reply(conn, (long)allocations);
    else if (strcmp(text, "!bytes") == 0)
        reply(conn, bytes);
    else if (strncmp(text, "!starve ", 8) == 0)
        reply(conn, starve(conn, (unsigned int)atoi(text + 8)));
    else if (strcmp(text, "!mark") == 0)
        reply(conn, getpgid(0)); /* a system call that nobody else makes, to be found in a trace */
}

void ws_close_callback(void *conn)
{
    (void)conn;
}
