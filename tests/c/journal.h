/*
 * The journal: one line for each thing that happens in a test program, in the file that $PROBE_LOG names. The test
 * awaits the lines. A line that begins with "fault:" fails any test when the server is stopped.
 */
#ifndef JOURNAL_H
#define JOURNAL_H

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int journal_fd = -1;
static int journal_depth;

/* To be called in ws_init_func: the file is opened while the process is still who started it. */
static inline void journal_open(void)
{
    const char *path = getenv("PROBE_LOG");

    if (path != NULL)
        journal_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

static inline void journal(const char *format, ...)
{
    static char line[24 * 1024]; /* a cookie may be as long as a request */
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(line, sizeof line - 1, format, args);
    va_end(args);
    if (length < 0)
        abort();
    if (length > (int)sizeof line - 2)
        length = (int)sizeof line - 2;
    line[length++] = '\n';
    if (journal_fd >= 0 && write(journal_fd, line, (size_t)length) != length)
        abort();
}

/* Every callback stands between these two: no callback runs inside another (CONTRACT S5). */
static inline void callback_begins(const char *name)
{
    if (journal_depth++ != 0)
        journal("fault: %s runs inside another callback", name);
}

static inline void callback_ends(void)
{
    journal_depth--;
}

#endif
