/*
 * clock.c: tells every client the time, once a second.
 *
 *     cc -o clock clock.c $(pkg-config --cflags --libs dorrit)
 *     ./clock -x -l /tmp/clock.socket
 *
 * It shows ws_set_periodic(), how a server keeps the list of its clients, an
 * array of handles in which each client's own pointer holds its place, and
 * ws_get_stats(): a client that sends anything is told what the server has done.
 */
#include <dorrit.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
	TOO_SLOW = 10	/* a client that has not taken the last ten seconds is asleep */
};

static void **clients;	/* the handles of all who are here, ready for ws_write_conn() */
static int count;	/* how many they are */
static int room;	/* how many there is room for */

/* Writes the time in UTC, as in 2026-01-31T12:00:00Z, and returns its length. */
static unsigned int now(char *text, size_t size)
{
	time_t seconds = time(NULL);
	struct tm *utc = gmtime(&seconds);

	return utc ? (unsigned int)strftime(text, size, "%Y-%m-%dT%H:%M:%SZ", utc) : 0;
}

static void tell(void **whom, int how_many)
{
	char text[32];
	unsigned int len = now(text, sizeof text);

	/* One call, however many there are: the frame is made once and shared.  Where memory has
	   run out nobody is told, and the next second may do better. */
	ws_write_conn(whom, how_many, 0, len, (unsigned char *)text);
}

static void tick(void)
{
	int i;

	for (i = 0; i < count; i++)
		if (ws_get_qlen(clients[i]) > TOO_SLOW)
			ws_close_conn(clients[i], 1);	/* its close callback comes later */

	tell(clients, count);
}

void ws_init_func(void)
{
	char name[] = "clock";

	ws_set_name(name);
	ws_set_periodic(tick, 1);
}

int ws_open_callback(void *conn, char *cookie)
{
	(void)cookie;

	if (count == room) {
		int more = room ? room * 2 : 64;
		void **grown = (void **)realloc(clients, (size_t)more * sizeof *grown);

		if (!grown)
			return -1;	/* no memory: this client is refused, the others stay */
		clients = grown;
		room = more;
	}

	ws_set_data(conn, (void *)(intptr_t)count);
	clients[count++] = conn;
	tell(&conn, 1);		/* not to wait a second for the first answer */
	return 0;
}

/* What clients say is of no interest, but that they say something is a question. */
void ws_read_callback(void *conn, int binary, int len, unsigned char *buffer)
{
	struct ws_stats stats;
	char text[128];
	int n;

	(void)binary;
	(void)len;
	(void)buffer;

	if (ws_get_stats(&stats, sizeof stats) != 0)
		return;
	n = snprintf(text, sizeof text, "%llu here, %llu since the start, %llu messages sent",
	    stats.connections, stats.accepted, stats.messages_out);
	ws_write_conn(&conn, 1, 0, (unsigned int)n, (unsigned char *)text);
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
	free(clients);
}
