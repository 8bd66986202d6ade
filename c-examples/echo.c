/*
 * echo.c: a WebSocket server that sends every message back to its sender.
 *
 * This is a whole program.  libdorrit provides main(), the socket, and the
 * protocol; a server is the five functions below.
 *
 *     cc -o echo echo.c $(pkg-config --cflags --libs dorrit)
 *     ./echo -x -l /tmp/echo.socket
 *
 * -x stays in the foreground, -l names the socket.  libdorrit(3) has the rest.
 */
#include <dorrit.h>

/* Once, at the start: nothing listens yet, and stdout and stderr are still the terminal's. */
void ws_init_func(void)
{
	char name[] = "echo";

	ws_set_name(name);	/* for the log and the pidfile; the library keeps a copy */
}

/* A client is here.  conn stands for it from now until ws_close_callback() has returned. */
int ws_open_callback(void *conn, char *cookie)
{
	(void)conn;
	(void)cookie;	/* the request's Cookie header, "" where there is none */
	return 0;	/* anything else turns the client away */
}

/* A message has come, whole.  The buffer is the library's: copy what must outlive this call. */
void ws_read_callback(void *conn, int binary, int len, unsigned char *buffer)
{
	/* Queues a copy, for the one connection in an array of one.  An empty message cannot be
	   sent: the answer is -2, and nothing happens.  -1 says that memory has run out. */
	if (ws_write_conn(&conn, 1, binary, (unsigned int)len, buffer) == -1)
		ws_close_conn(conn, 1);
}

/* The client is gone, whoever ended it: free here what you keep for it. */
void ws_close_callback(void *conn)
{
	(void)conn;
}

/* Once, at the end, after the last ws_close_callback(). */
void ws_exit_func(void)
{
}
