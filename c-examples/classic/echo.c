/*
 * echo.c: a WebSocket server that sends every message back to its sender, in
 * the older interface, libdorrit(8).
 *
 * This is a whole program.  The library provides main(), the socket, and the
 * protocol; a server is the four functions below.
 *
 *     cc -o echo echo.c $(pkg-config --cflags --libs dorrit-classic)
 *     ./echo -x -l /tmp/echo.socket
 *
 * -x stays in the foreground, -l names the socket.  libdorrit-classic(3) has
 * the rest.
 */
#include <dorrit.h>

/* Once, at the start: nothing listens yet, and stdout and stderr are still the terminal's. */
void ws_init_func(void)
{
	char name[] = "echo";

	ws_set_name(name);	/* for the log and the pidfile; the library keeps a copy */
}

/* A client is here.  conn stands for it from now until ws_close_callback() has returned. */
int ws_open_callback(void *conn, char *cookie, char *hostname, char *protocol)
{
	(void)conn;
	(void)cookie;	/* told with -h: session.c uses it */
	(void)hostname;	/* told without it: rooms.c uses this, */
	(void)protocol;	/* and this */
	return 0;	/* anything else turns the client away */
}

/* A message has come, whole, and it is text.  The buffer keeps it until this client's next one. */
void ws_read_callback(void *conn, int len, char *buffer)
{
	/* Queues a copy.  An empty message cannot be sent: the answer is -2, and nothing happens.
	   -1 says that the client has 200 frames waiting, or that memory has run out: either way
	   this client is not worth going on with. */
	if (ws_write_conn(conn, len, buffer) == -1)
		ws_close_conn(conn, 1);
}

/* The client is gone, whoever ended it: free here what you keep for it. */
void ws_close_callback(void *conn)
{
	(void)conn;
}
