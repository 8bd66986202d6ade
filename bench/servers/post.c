/* Ours: ws_post() from other threads, as a client asks for it. */
#define _GNU_SOURCE
#include <dorrit.h>

#include "posting.h"

void ws_init_func(void)
{
	ws_set_name("post");
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

static void answer(void *data)
{
	struct posting *posting = data;

	ws_write_conn(&posting->client, 1, 0, strlen(posting->figures), (unsigned char *)posting->figures);
	free(posting);
}

void ws_read_callback(void *conn, int binary, int len, unsigned char *buffer)
{
	(void)binary;
	(void)len;
	posting_begin((char *)buffer, ws_post, ws_post, answer, conn);
}
