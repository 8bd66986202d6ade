/* A program that leaves out ws_open_callback and ws_read_callback (CONTRACT S15). */
#include <dorrit.h>
#include <stdio.h>

void ws_init_func(void)
{
    printf("ws_init_func ran\n");
}

void ws_exit_func(void)
{
}

void ws_close_callback(void *conn)
{
    (void)conn;
}
