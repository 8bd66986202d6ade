/* Ours: works on each message for 100 microseconds, by the clock, and answers it with itself. */
#include <dorrit.h>
#include <time.h>

#define WORK 100000

void ws_init_func(void)
{
	ws_set_name("work");
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

static long long nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

void ws_read_callback(void *conn, int binary, int len, unsigned char *buffer)
{
	long long end = nanoseconds() + WORK;

	while (nanoseconds() < end)
		;
	ws_write_conn(&conn, 1, binary, (unsigned int)len, buffer);
}
