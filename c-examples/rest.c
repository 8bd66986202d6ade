/*
 * rest.c: an HTTP interface beside WebSockets.  Its page is rest/index.html.
 *
 *     cc -o rest rest.c $(pkg-config --cflags --libs dorrit)
 *     ./rest -x -p 8080 -w rest
 *     ./rest -x -p 8080 -w rest -- https://example.org
 *
 *     GET /health        200 {"status":"ok","clients":NUMBER}, for who watches over servers
 *     POST /messages     202 {"clients":NUMBER}: the body goes as it is, and must be UTF-8, to all who are
 *                        connected by WebSocket; so many they are
 *
 *     curl --data '{"text":"hello"}' http://localhost:8080/messages
 *
 * It shows ws_request_callback() and what belongs to such an interface: a table of what there is, 404, 405 with
 * Allow, and OPTIONS and the headers by which browsers let the pages of other origins use it (CORS).  Those
 * are named behind "--"; no other page may do anything here, nor connect.  Whoever is no browser may: auth.c
 * shows how to ask who somebody is.
 */
#include <dorrit.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void **clients;	/* the handles of all who are connected, ready for ws_send() */
static int count;	/* how many they are */
static int room;	/* how many there is room for */

static int health(void *conn, size_t len, const unsigned char *body);
static int publish(void *conn, size_t len, const unsigned char *body);

/* What there is.  HEAD goes with GET: the library leaves the body out. */
static const struct resource {
	const char *path, *allowed, *method;
	int (*answer)(void *conn, size_t len, const unsigned char *body);
} resources[] = {
	{ "/health", "GET, HEAD, OPTIONS", "GET", health },
	{ "/messages", "POST, OPTIONS", "POST", publish }
};

static int answer_json(void *conn, int status, const char *json)
{
	ws_set_header(conn, "Content-Type", "application/json");
	return ws_set_body(conn, json, strlen(json)) == 0 ? status : 503;
}

static int health(void *conn, size_t len, const unsigned char *body)
{
	char json[64];

	(void)len;
	(void)body;

	snprintf(json, sizeof json, "{\"status\":\"ok\",\"clients\":%d}\n", count);
	ws_set_header(conn, "Cache-Control", "no-store");
	return answer_json(conn, 200, json);
}

/* Whether this is UTF-8 (RFC 3629 4), without which a browser ends its connection. */
static int is_utf8(const unsigned char *at, size_t len)
{
	const unsigned char *end = at + len;

	while (at < end) {
		int more = *at < 0x80 ? 0 : *at < 0xe0 ? 1 : *at < 0xf0 ? 2 : 3;
		unsigned long point = more == 0 ? *at : *at & (0x3fu >> more);
		static const unsigned long least[] = { 0, 0x80, 0x800, 0x10000 };
		int i;

		if ((*at >= 0x80 && *at < 0xc2) || *at > 0xf4 || end - at <= more)
			return 0;
		for (i = 1; i <= more; i++) {
			if ((at[i] & 0xc0) != 0x80)
				return 0;
			point = point << 6 | (at[i] & 0x3fu);
		}
		if (point < least[more] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
			return 0;
		at += more + 1;
	}
	return 1;
}

static int publish(void *conn, size_t len, const unsigned char *body)
{
	char json[64];
	long sent;

	if (!is_utf8(body, len))
		return answer_json(conn, 400, "{\"error\":\"that is no UTF-8\"}\n");
	sent = ws_send(clients, count, 0, body, len);
	if (sent < 0)
		return 503;	/* no memory */
	snprintf(json, sizeof json, "{\"clients\":%ld}\n", sent);
	return answer_json(conn, 202, json);
}

/* Whether the origin is that of the host that the request itself names, of which this server is. */
static int is_own(void *conn, const char *origin)
{
	const char *host = ws_get_header(conn, "Host"), *name = strstr(origin, "://");

	return host && name && strcmp(name + 3, host) == 0;
}

/* Whether a request may be made: by no page, by one of ours, or by one of an origin that was named, whose
   browser is told so.  It must be asked here too: a browser asks by OPTIONS before some requests only. */
static int may_ask(void *conn)
{
	const char *origin = ws_get_header(conn, "Origin");
	char **named = ws_arguments;

	ws_set_header(conn, "Vary", "Origin");
	if (!origin || is_own(conn, origin))
		return 1;
	for (; *named; named++)
		if (strcmp(*named, origin) == 0)
			return ws_set_header(conn, "Access-Control-Allow-Origin", origin) == 0;
	return 0;
}

static int answer(void *conn, const struct resource *it, const char *method, size_t len,
    const unsigned char *body)
{
	if (!may_ask(conn))
		return 403;
	if (strcmp(method, "OPTIONS") == 0) {
		ws_set_header(conn, "Allow", it->allowed);
		ws_set_header(conn, "Access-Control-Allow-Methods", it->allowed);
		ws_set_header(conn, "Access-Control-Allow-Headers", "Content-Type");
		ws_set_header(conn, "Access-Control-Max-Age", "600");
		return 204;
	}
	if (strcmp(strcmp(method, "HEAD") == 0 ? "GET" : method, it->method) == 0)
		return it->answer(conn, len, body);
	ws_set_header(conn, "Allow", it->allowed);
	return 405;
}

int ws_request_callback(void *conn, const char *method, const char *target, size_t len,
    const unsigned char *body)
{
	size_t i, path_len = strcspn(target, "?");

	for (i = 0; i < sizeof resources / sizeof *resources; i++)
		if (strlen(resources[i].path) == path_len &&
		    memcmp(resources[i].path, target, path_len) == 0)
			return answer(conn, &resources[i], method, len, body);

	/* The page, where -w is given; whatever else is asked for is not here. */
	return path_len == 1 && *target == '/' ? 0 : 404;
}

/* The origins whose pages may connect are those that may ask. */
static int set_origins(void)
{
	size_t size = sizeof "same";
	char **named, *list;
	int status;

	for (named = ws_arguments; *named; named++)
		size += 2 + strlen(*named);
	list = (char *)malloc(size);
	if (!list)
		return -1;
	strcpy(list, "same");
	for (named = ws_arguments; *named; named++)
		strcat(strcat(list, ", "), *named);
	status = ws_set_origins(list);
	free(list);
	return status;
}

void ws_init_func(void)
{
	ws_set_name("rest");
	if (set_origins() != 0) {
		fprintf(stderr, "rest: after -- come origins, such as https://example.org\n");
		exit(1);
	}
}

int ws_open_callback(void *conn, char *cookie)
{
	(void)cookie;

	if (count == room) {
		int more = room ? room * 2 : 64;
		void **grown = (void **)realloc(clients, (size_t)more * sizeof *grown);

		if (!grown) {
			ws_set_status(conn, 503);
			return -1;
		}
		clients = grown;
		room = more;
	}
	ws_set_data(conn, (void *)(intptr_t)count);
	clients[count++] = conn;
	return 0;
}

/* Who is connected listens. */
void ws_read_callback(void *conn, int binary, int len, unsigned char *buffer)
{
	(void)conn;
	(void)binary;
	(void)len;
	(void)buffer;
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
