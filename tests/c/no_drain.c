/* An echo server that has none of the optional callbacks, and wants what one of them would tell. */
#include <dorrit.h>
#include <string.h>
#include "answer.h"

void ws_init_func(void)
{
}

void ws_exit_func(void)
{
}

int ws_open_callback(void *conn, char *cookie)
{
    (void)cookie;
    return ws_want_drain(conn);
}

void ws_read_callback(void *conn, int binary, int len, unsigned char *buffer)
{
    if (strcmp((char *)buffer, "want") == 0)
        answer(conn, "%d", ws_want_drain(conn));
    else
        ws_write_conn(&conn, 1, binary, (unsigned int)len, buffer);
}

void ws_close_callback(void *conn)
{
    (void)conn;
}
