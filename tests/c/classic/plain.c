/* A program that knows nothing but what the manual of libdorrit(8) knows (CONTRACT E8), and spells it as that does. */
#include <dorrit.h>

void ws_init_func()
{
    char name[] = "plain";

    ws_set_name(name);
}

int ws_open_callback(void *conn, char *cookie, char *hostname, char *protocol)
{
    return conn == 0 || cookie == 0 || hostname == 0 || protocol == 0;
}

void ws_read_callback(void *conn, int len, char *buffer)
{
    if (ws_write_conn(conn, len, buffer) == -1)
        ws_close_conn(conn, 1);
}

void ws_close_callback(void *conn)
{
    (void)conn;
}
