/* A whole server as the manual between libdorrit(8) and libdorrit(3) spells it: five functions, and char buffers. */
#include <dorrit.h>

void ws_init_func()
{
    ws_set_name("plain");
}

void ws_exit_func()
{
}

int ws_open_callback(void *conn, char *cookie)
{
    return conn == 0 || cookie == 0;
}

void ws_read_callback(void *conn, int binary, int len, char *buffer)
{
    char *copy = buffer;

    if (ws_write_conn(&conn, 1, binary, (unsigned int)len, copy) == -1)
        ws_close_conn(conn, 1);
}

void ws_close_callback(void *conn)
{
    (void)conn;
}
