/*
 * loop_glib.c: a WebSocket server inside GLib's main loop, beside a timer of GLib's.
 *
 *     cc -o loop_glib loop_glib.c $(pkg-config --cflags --libs dorrit glib-2.0)
 *     ./loop_glib -l /tmp/loop.socket
 *
 * What one client says all clients hear, and once a second how many they are.
 * The program has a main() of its own: ws_begin() listens, GLib waits, and
 * ws_step() serves.  A GTK program does the same.
 */
#include <dorrit.h>

#include <glib-unix.h>
#include <glib.h>
#include <stdint.h>
#include <stdio.h>

enum {
	ROOM = 1000	/* so many clients at most */
};

static void *clients[ROOM];	/* the handles of all who are here */
static int count;

void ws_init_func(void)
{
}

int ws_open_callback(void *conn, char *cookie)
{
	(void)cookie;
	if (count == ROOM)
		return -1;
	ws_set_data(conn, (void *)(intptr_t)count);
	clients[count++] = conn;
	return 0;
}

void ws_read_callback(void *conn, int binary, int len, unsigned char *buffer)
{
	(void)conn;
	ws_send(clients, count, binary, buffer, (size_t)len);
}

/* The last in the array moves to the place that becomes free. */
void ws_close_callback(void *conn)
{
	intptr_t place = (intptr_t)ws_get_data(conn);

	clients[place] = clients[--count];
	ws_set_data(clients[place], (void *)place);
}

void ws_exit_func(void)
{
}

/* GLib's timer: outside of ws_step(), and on its thread, everything may be called too. */
static gboolean tick(gpointer data)
{
	char text[32];
	int len = snprintf(text, sizeof text, "%d here", count);

	(void)data;
	ws_send(clients, count, 0, text, (size_t)len);
	return G_SOURCE_CONTINUE;
}

/* The server as a source of events: its descriptor, and the time until it has work without that. */
struct source {
	GSource base;
	gpointer fd;		/* GLib's name for the descriptor */
	GMainLoop *loop;
};

/* Before each sleep: how long may it be?  The tick, or any other source, may just have changed that. */
static gboolean prepare(GSource *base, gint *timeout)
{
	(void)base;
	*timeout = ws_get_timeout();
	return *timeout == 0;
}

/* After it: is there work? */
static gboolean check(GSource *base)
{
	struct source *source = (struct source *)base;

	return g_source_query_unix_fd(base, source->fd) != 0 || ws_get_timeout() == 0;
}

/* One round, without waiting: GLib has waited.  Other sources have their turn after it. */
static gboolean dispatch(GSource *base, GSourceFunc callback, gpointer data)
{
	struct source *source = (struct source *)base;

	(void)callback;
	(void)data;
	if (ws_step(0) == 1)
		return G_SOURCE_CONTINUE;
	g_main_loop_quit(source->loop);		/* the server has stopped */
	return G_SOURCE_REMOVE;
}

/* ws_begin() leaves signals to the program. */
static gboolean stop(gpointer data)
{
	(void)data;
	ws_stop();		/* clients are told; ws_step() returns 0 when they are gone */
	return G_SOURCE_CONTINUE;
}

int main(int argc, char **argv)
{
	static GSourceFuncs funcs;
	struct source *source;
	GMainLoop *loop;
	int status = ws_begin(argc, argv);

	if (status != 0)
		return status;
	if (ws_get_fd() == -1)
		return 0;	/* --help or --version was all that was asked for */

	loop = g_main_loop_new(NULL, FALSE);
	funcs.prepare = prepare;
	funcs.check = check;
	funcs.dispatch = dispatch;
	source = (struct source *)g_source_new(&funcs, sizeof *source);
	source->fd = g_source_add_unix_fd(&source->base, ws_get_fd(), G_IO_IN);
	source->loop = loop;
	g_source_attach(&source->base, NULL);
	g_source_unref(&source->base);

	g_timeout_add(1000, tick, NULL);
	g_unix_signal_add(SIGINT, stop, NULL);
	g_unix_signal_add(SIGTERM, stop, NULL);

	g_main_loop_run(loop);
	g_main_loop_unref(loop);
	return 0;
}
