/* A program with a main of its own: that is the one that runs, and nothing serves. */
#include <dorrit.h>
#include <stdio.h>

void ws_init_func(void)
{
}

int ws_open_callback(void *conn, char *cookie, char *hostname, char *protocol)
{
    (void)conn;
    (void)cookie;
    (void)hostname;
    (void)protocol;
    return 0;
}

void ws_read_callback(void *conn, int len, char *buffer)
{
    (void)conn;
    (void)len;
    (void)buffer;
}

void ws_close_callback(void *conn)
{
    (void)conn;
}

int main(void)
{
    printf("own main: %u\n", ws_get_qlen(NULL));
    return 3;
}
