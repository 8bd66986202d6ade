/* The server that the Autobahn testsuite talks to (make autobahn): whatever comes goes back, empty messages too. */
#include <dorrit.h>

void ws_init_func(void)
{
    char name[] = "autobahn";

    ws_set_name(name);
}

int ws_open_callback(void *conn, char *cookie)
{
    (void)conn;
    (void)cookie;
    return 0;
}

void ws_read_callback(void *conn, int binary, int len, unsigned char *buffer)
{
    if (ws_send(&conn, 1, binary, buffer, (size_t)len) != 1)
        ws_close_conn_code(conn, 1011, "the echo was not queued");
}

void ws_close_callback(void *conn)
{
    (void)conn;
}

void ws_exit_func(void)
{
}
