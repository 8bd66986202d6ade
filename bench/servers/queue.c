/* Ours: answers a text with itself, and a binary message as often as it can be queued. */
#include <dorrit.h>

void ws_init_func(void)
{
	ws_set_name("queue");
	ws_set_queue_limit(64UL << 20, WS_QUEUE_SKIP);
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
	while (ws_send(&conn, 1, binary, buffer, (size_t)len) == 1 && binary)
		;
}
