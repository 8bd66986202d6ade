/* Ours, with what goes beyond the manual: messages of any length, compression (its options). */
#include <dorrit.h>

void ws_init_func(void)
{
	ws_set_name("full");
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

void ws_read_callback(void *conn, int binary, int len, unsigned char *buffer)
{
	ws_send(&conn, 1, binary, buffer, (size_t)len);
}
