/* Ours: answers plain requests alone, as a reader of libdorrit(3) would write it. */
#include <dorrit.h>
#include <string.h>

void ws_init_func(void)
{
	ws_set_name("health");
}

void ws_exit_func(void)
{
}

int ws_request_callback(void *conn, const char *method, const char *target, size_t len,
			const unsigned char *body)
{
	(void)method;
	(void)len;
	(void)body;
	if (strcmp(target, "/health") != 0)
		return 404;
	ws_set_body(conn, "ok\n", 3);
	return 200;
}
