/*
 * loop_uv.c: a WebSocket server inside libuv's loop, beside a timer of libuv's.
 *
 *     cc -o loop_uv loop_uv.c $(pkg-config --cflags --libs dorrit libuv)
 *     ./loop_uv -l /tmp/loop.socket
 *
 * What one client says all clients hear, and once a second how many they are.
 * The program has a main() of its own: ws_begin() listens, libuv waits, and
 * ws_step() serves.
 */
#define _POSIX_C_SOURCE 200809L	/* uv.h wants it under -std=c99 */

#include <dorrit.h>

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <uv.h>

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
static void tick(uv_timer_t *timer)
{
	char text[32];
	int len = snprintf(text, sizeof text, "%d here", count);

	(void)timer;
	ws_send(clients, count, 0, text, (size_t)len);
}

static uv_timer_t due;		/* when the server has work though its descriptor is not readable */

static void close_handle(uv_handle_t *handle, void *data)
{
	(void)data;
	uv_close(handle, NULL);
}

/* One round, without waiting: libuv has waited.  Other handles have their turn after it. */
static void serve(uv_loop_t *loop)
{
	if (ws_step(0) == 1)
		return;
	/* The server has stopped.  A loop without handles ends. */
	uv_walk(loop, close_handle, NULL);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	serve(poll->loop);
}

static void on_due(uv_timer_t *timer)
{
	serve(timer->loop);
}

/* Before each sleep: how long may it be?  The tick, or any other handle, may just have changed that. */
static void on_prepare(uv_prepare_t *prepare)
{
	int timeout = ws_get_timeout();

	uv_update_time(prepare->loop);
	if (timeout < 0)
		uv_timer_stop(&due);
	else
		uv_timer_start(&due, on_due, (uint64_t)timeout, 0);
}

/* ws_begin() leaves signals to the program. */
static void on_signal(uv_signal_t *signal, int number)
{
	(void)signal;
	(void)number;
	ws_stop();		/* clients are told; ws_step() returns 0 when they are gone */
}

int main(int argc, char **argv)
{
	uv_loop_t *loop = uv_default_loop();
	uv_poll_t poll;
	uv_prepare_t prepare;
	uv_timer_t second;
	uv_signal_t interrupt, terminate;
	int status = ws_begin(argc, argv);

	if (status != 0)
		return status;
	if (ws_get_fd() == -1)
		return 0;	/* --help or --version was all that was asked for */

	uv_timer_init(loop, &due);
	uv_prepare_init(loop, &prepare);
	uv_prepare_start(&prepare, on_prepare);
	uv_poll_init(loop, &poll, ws_get_fd());
	uv_poll_start(&poll, UV_READABLE, on_ready);

	uv_timer_init(loop, &second);
	uv_timer_start(&second, tick, 1000, 1000);
	uv_signal_init(loop, &interrupt);
	uv_signal_start(&interrupt, on_signal, SIGINT);
	uv_signal_init(loop, &terminate);
	uv_signal_start(&terminate, on_signal, SIGTERM);

	uv_run(loop, UV_RUN_DEFAULT);
	uv_loop_close(loop);
	return 0;
}
