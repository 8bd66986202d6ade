/* Ours: answers each message with itself, as a reader of libdorrit(3) would write it. */
#include <dorrit.h>

void ws_init_func(void)
{
	ws_set_name("echo");
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
	ws_write_conn(&conn, 1, binary, (unsigned int)len, buffer);
}
