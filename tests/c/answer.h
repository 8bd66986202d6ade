/* What a test program says to a client, as printf(3) has it, in either library: CLASSIC is defined for libdorrit(8). */
#ifndef ANSWER_H
#define ANSWER_H

#include <dorrit.h>
#include <stdarg.h>
#include <stdio.h>

static inline void answer(void *conn, const char *format, ...)
{
    char text[1024];
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
#ifdef CLASSIC
    ws_write_conn(conn, length, text);
#else
    ws_write_conn(&conn, 1, 0, (unsigned int)length, (unsigned char *)text);
#endif
}

#endif
