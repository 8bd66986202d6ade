/*
 * loop_ev.c: a WebSocket server inside libev's loop, beside a timer of libev's.
 *
 *     cc -o loop_ev loop_ev.c $(pkg-config --cflags --libs dorrit) -lev
 *     ./loop_ev -l /tmp/loop.socket
 *
 * What one client says all clients hear, and once a second how many they are.
 * The program has a main() of its own: ws_begin() listens, libev waits, and
 * ws_step() serves.
 */
#include <dorrit.h>

#include <ev.h>
#include <signal.h>
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

/* Once a second.  Outside of ws_step(), and on its thread, everything may be called too. */
static void tick(struct ev_loop *loop, ev_timer *timer, int events)
{
	char text[32];
	int len = snprintf(text, sizeof text, "%d here", count);

	(void)loop;
	(void)timer;
	(void)events;
	ws_send(clients, count, 0, text, (size_t)len);
}

static ev_io ready;		/* the server's descriptor is readable */
static ev_timer due;		/* it has work though that is not so */
static ev_prepare prepare;	/* the loop is about to sleep */

/* One round, without waiting: libev has waited.  Other watchers have their turn after it. */
static void serve(struct ev_loop *loop)
{
	if (ws_step(0) == 1)
		return;
	/* The server has stopped. */
	ev_io_stop(loop, &ready);
	ev_timer_stop(loop, &due);
	ev_prepare_stop(loop, &prepare);
	ev_break(loop, EVBREAK_ALL);
}

static void on_ready(struct ev_loop *loop, ev_io *io, int events)
{
	(void)io;
	(void)events;
	serve(loop);
}

static void on_due(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)timer;
	(void)events;
	serve(loop);
}

/* Before each sleep: how long may it be?  The tick, or any other watcher, may just have changed that. */
static void on_prepare(struct ev_loop *loop, ev_prepare *watcher, int events)
{
	int timeout = ws_get_timeout();

	(void)watcher;
	(void)events;
	ev_now_update(loop);
	ev_timer_stop(loop, &due);
	if (timeout >= 0) {
		ev_timer_set(&due, timeout / 1000.0, 0.);
		ev_timer_start(loop, &due);
	}
}

/* ws_begin() leaves signals to the program. */
static void on_signal(struct ev_loop *loop, ev_signal *signal, int events)
{
	(void)loop;
	(void)signal;
	(void)events;
	ws_stop();		/* clients are told; ws_step() returns 0 when they are gone */
}

int main(int argc, char **argv)
{
	struct ev_loop *loop = EV_DEFAULT;
	ev_timer second;
	ev_signal interrupt, terminate;
	int status = ws_begin(argc, argv);

	if (status != 0)
		return status;
	if (ws_get_fd() == -1)
		return 0;	/* --help or --version was all that was asked for */

	ev_io_init(&ready, on_ready, ws_get_fd(), EV_READ);
	ev_io_start(loop, &ready);
	ev_timer_init(&due, on_due, 0., 0.);
	ev_prepare_init(&prepare, on_prepare);
	ev_prepare_start(loop, &prepare);

	ev_timer_init(&second, tick, 1., 1.);
	ev_timer_start(loop, &second);
	ev_signal_init(&interrupt, on_signal, SIGINT);
	ev_signal_start(loop, &interrupt);
	ev_signal_init(&terminate, on_signal, SIGTERM);
	ev_signal_start(loop, &terminate);

	ev_run(loop, 0);
	ev_loop_destroy(loop);
	return 0;
}
