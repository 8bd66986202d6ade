/* A server of requests that lacks one of the three functions for connections. */
#include <dorrit.h>

void ws_init_func(void)
{
}

void ws_exit_func(void)
{
}

int ws_open_callback(void *conn, char *cookie)
{
    (void)conn;
    (void)cookie;
    return 0;
}

void ws_close_callback(void *conn)
{
    (void)conn;
}

int ws_request_callback(void *conn, const char *method, const char *target, size_t len, const unsigned char *body)
{
    (void)conn;
    (void)method;
    (void)target;
    (void)len;
    (void)body;
    return 200;
}
