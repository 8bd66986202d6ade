/*
 * feed.c: news for many readers, from a few who may write.
 *
 *     cc -o feed feed.c $(pkg-config --cflags --libs dorrit)
 *     ./feed -x -l /tmp/feed.socket -f token
 *
 * Readers ask for /feed and get the last news at once, and then each as it
 * comes.  Writers offer the sub-protocol "feed.write" and send the header
 * "Authorization: Bearer TOKEN", where TOKEN is the first line of the file that
 * -f names; what they say goes to all readers.
 *
 * It shows what goes beyond the five functions: long and compressed messages,
 * sub-protocols, origins, a look at the request, statuses, close codes, and
 * readers who are too slow.  The options --max-message, --compress, --origin,
 * --ping and --max-queue have the last word over what is set here.
 */
#include <dorrit.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

enum {
	NEWS_MAX_BYTES = 4 << 20,	/* of one piece of news */
	QUEUE_MAX_BYTES = 8 << 20,	/* of memory for what waits for one reader */
	NOT_WELCOME = 4001,		/* our own close code, from 4000 to 4999 */
	MANY = 1000
};

struct reader {
	void *conn;
	int has_missed;	/* something was left out, because it did not read */
};

static struct reader readers[MANY];
static int count;
static char token[128];
static char *news;	/* the last piece, for those who come and those who have missed it */
static size_t news_len;

/* These are for ws_init_func() alone; each returns -1 where a value cannot be. */
static int set_up(void)
{
	return ws_set_max_message(NEWS_MAX_BYTES) |	/* joins fragments, too */
	    ws_set_compression(6) |			/* for those who offer it */
	    ws_set_protocols("feed.v2, feed.v1") |	/* the best first */
	    ws_set_origins("https://example.org, https://www.example.org") |
	    ws_set_ping(45, 15) |			/* who is silent for a minute is gone */
	    ws_set_queue_limit(QUEUE_MAX_BYTES, WS_QUEUE_SKIP);
}

void ws_init_func(void)
{
	char name[] = "feed";
	FILE *file;

	ws_set_name(name);
	file = ws_config_file ? fopen(ws_config_file, "r") : NULL;
	if (!file || !fgets(token, sizeof token, file)) {
		fprintf(stderr, "feed: the option -f must name a file with a token in it\n");
		exit(1);
	}
	fclose(file);
	token[strcspn(token, "\r\n")] = '\0';

	if (set_up() != 0) {
		fprintf(stderr, "feed: a setting cannot be\n");
		exit(1);
	}
}

/* Whether the request has the token.  Every byte is looked at, wherever the first one differs. */
static int is_writer(void *conn)
{
	const char *given = ws_get_header(conn, "Authorization");
	size_t i, len = strlen(token);
	unsigned char differs = len == 0;

	if (!given || strncmp(given, "Bearer ", 7) != 0 || strlen(given + 7) != len)
		return 0;
	for (i = 0; i < len; i++)
		differs |= (unsigned char)(given[7 + i] ^ token[i]);
	return !differs;
}

/* Answers the request with that status instead of 403. */
static int refuse(void *conn, int status)
{
	ws_set_status(conn, status);
	return -1;
}

int ws_open_callback(void *conn, char *cookie)
{
	const char *from = ws_get_address(conn);	/* behind a web server: --forwarded 1 */
	struct reader *reader;

	(void)cookie;

	if (strcmp(ws_get_target(conn), "/feed") != 0)
		return refuse(conn, 404);

	if (ws_choose_protocol(conn, "feed.write") == 0) {	/* 0: the client offers it */
		syslog(LOG_INFO, "a writer from %s", *from ? from : "here");
		if (is_writer(conn))
			return 0;
		ws_set_header(conn, "WWW-Authenticate", "Bearer");
		return refuse(conn, 401);
	}

	if (count == MANY)
		return refuse(conn, 503);

	reader = &readers[count++];
	reader->conn = conn;
	reader->has_missed = 0;
	if (news)
		ws_send(&conn, 1, 0, news, news_len);	/* goes out behind the answer */
	return 0;
}

/* Sends the last news to all readers, and marks those who have too much waiting to get it. */
static void publish(void)
{
	static void *conns[MANY];
	unsigned long before[MANY];
	int i;

	for (i = 0; i < count; i++) {
		conns[i] = readers[i].conn;
		before[i] = ws_get_qbytes(conns[i]);
	}

	/* It is framed, compressed and kept once for all.  Returns for how many it was queued. */
	if (ws_send(conns, count, 0, news, news_len) == count)
		return;

	for (i = 0; i < count; i++)
		if (before[i] > 0 && ws_get_qbytes(conns[i]) == before[i])
			readers[i].has_missed = 1;
}

void ws_read_callback(void *conn, int binary, int len, unsigned char *buffer)
{
	char *copy;

	if (strcmp(ws_get_protocol(conn), "feed.write") != 0) {
		ws_close_conn_code(conn, NOT_WELCOME, "readers have no say");
		return;
	}
	if (binary) {
		ws_close_conn_code(conn, 1003, "news are text");
		return;
	}

	copy = (char *)malloc((size_t)len + 1);
	if (!copy) {
		ws_close_conn_code(conn, 1013, "no memory: try again later");
		return;
	}
	memcpy(copy, buffer, (size_t)len + 1);
	free(news);
	news = copy;
	news_len = (size_t)len;
	publish();
}

/* Optional: this client's queue is empty, after something had to wait or was left out. */
void ws_drain_callback(void *conn)
{
	int i;

	for (i = 0; i < count; i++)
		if (readers[i].conn == conn && readers[i].has_missed) {
			readers[i].has_missed = 0;
			ws_send(&conn, 1, 0, news, news_len);
		}
}

void ws_close_callback(void *conn)
{
	int i, code = ws_get_close_code(conn);

	if (code == 1006)
		syslog(LOG_INFO, "a client is gone without a close frame");

	for (i = 0; i < count; i++)
		if (readers[i].conn == conn) {
			readers[i] = readers[--count];
			return;
		}
}

void ws_exit_func(void)
{
	free(news);
}
