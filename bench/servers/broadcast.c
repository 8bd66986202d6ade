/* Ours: sends each message to all who are connected. */
#include <dorrit.h>
#include <stdint.h>
#include <stdlib.h>

static void **conns;
static int count, room;

void ws_init_func(void)
{
	ws_set_name("broadcast");
}

void ws_exit_func(void)
{
	free(conns);
}

int ws_open_callback(void *conn, char *cookie)
{
	(void)cookie;
	if (count == room) {
		int more = room ? 2 * room : 1024;
		void **larger = realloc(conns, (size_t)more * sizeof *conns);

		if (larger == NULL)
			return 1;
		conns = larger;
		room = more;
	}
	ws_set_data(conn, (void *)(intptr_t)count);
	conns[count++] = conn;
	return 0;
}

void ws_close_callback(void *conn)
{
	int place = (int)(intptr_t)ws_get_data(conn);

	conns[place] = conns[--count];
	ws_set_data(conns[place], (void *)(intptr_t)place);
}

void ws_read_callback(void *conn, int binary, int len, unsigned char *buffer)
{
	(void)conn;
	ws_write_conn(conns, count, binary, (unsigned int)len, buffer);
}
