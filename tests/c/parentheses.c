/* A whole server as the manual of 2022 spells it, with () for an empty parameter list. */
#include <dorrit.h>

void ws_init_func()
{
}

void ws_exit_func()
{
}

int ws_open_callback(void *conn, char *cookie)
{
    (void)conn;
    (void)cookie;
    return 0;
}

void ws_read_callback(void *conn, int binary, int len, unsigned char *buffer)
{
    ws_write_conn(&conn, 1, binary, (unsigned int)len, buffer);
}

void ws_close_callback(void *conn)
{
    (void)conn;
}
