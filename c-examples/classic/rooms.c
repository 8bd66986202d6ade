/*
 * rooms.c: a room for each virtual host, in the older interface, libdorrit(8).
 *
 *     cc -o rooms rooms.c $(pkg-config --cflags --libs dorrit-classic)
 *     ./rooms -x -l /tmp/rooms.socket
 *
 * Without -h the library tells ws_open_callback() the host that the client has
 * asked for, and the sub-protocol: the first that the client offers, which it is
 * told as the one agreed on.  Clients of the same host hear each other.  The
 * sub-protocol says in which form:
 *
 *     plain, or none    7: what the seventh client has said
 *     json              {"from":7,"text":"what the seventh client has said"}
 *
 * Who offers another first is turned away.
 */
#include <dorrit.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	HOST_MAX_BYTES = 253,	/* as long as a name can be */
	LINE_MAX_BYTES = 2000	/* of what is said in one message; the rest is cut off */
};

/* What we keep for each client; the library keeps the pointer to it. */
struct member {
	void *conn;
	struct member *next;
	unsigned long number;
	int is_json;
	char host[HOST_MAX_BYTES + 1];
};

static struct member *members;
static unsigned long last_number;

/*
 * Text as it may stand in a string of JSON: at most six bytes for each of its
 * own.  Returns the length.
 */
static size_t escape(const char *text, size_t len, char *out)
{
	size_t i, n = 0;

	for (i = 0; i < len; i++)
		if (text[i] == '"' || text[i] == '\\') {
			out[n++] = '\\';
			out[n++] = text[i];
		} else if ((unsigned char)text[i] < 0x20)
			n += (size_t)sprintf(out + n, "\\u%04x", (unsigned int)text[i]);
		else
			out[n++] = text[i];	/* the library has seen to it that it is UTF-8 */
	return n;
}

void ws_init_func(void)
{
	char name[] = "rooms";

	ws_set_name(name);
}

int ws_open_callback(void *conn, char *cookie, char *hostname, char *protocol)
{
	struct member *member;
	size_t i, len = strlen(hostname);
	int is_json = strcmp(protocol, "json") == 0;

	(void)cookie;	/* "", without -h */

	if (len > HOST_MAX_BYTES)
		return 1;
	if (!is_json && *protocol && strcmp(protocol, "plain") != 0)
		return 1;	/* a form that we do not speak */

	member = (struct member *)malloc(sizeof *member);
	if (!member)
		return 1;

	/* A host's name is the same in capitals. */
	for (i = 0; i <= len; i++)
		member->host[i] = (char)tolower((unsigned char)hostname[i]);
	member->conn = conn;
	member->number = ++last_number;
	member->is_json = is_json;
	member->next = members;
	members = member;
	ws_set_data(conn, member);
	return 0;
}

void ws_read_callback(void *conn, int len, char *buffer)
{
	static char plain[LINE_MAX_BYTES + 32], json[6 * LINE_MAX_BYTES + 64];
	const struct member *from = (const struct member *)ws_get_data(conn), *to;
	size_t said = (size_t)len, plain_len, json_len;

	/* The cut must not be in the middle of a character: while the byte behind it continues
	   one, it is moved back. */
	if (said > LINE_MAX_BYTES) {
		said = LINE_MAX_BYTES;
		while (said > 0 && ((unsigned char)buffer[said] & 0xC0) == 0x80)
			said--;
	}

	plain_len = (size_t)sprintf(plain, "%lu: ", from->number);
	memcpy(plain + plain_len, buffer, said);
	plain_len += said;

	json_len = (size_t)sprintf(json, "{\"from\":%lu,\"text\":\"", from->number);
	json_len += escape(buffer, said, json + json_len);
	json_len += (size_t)sprintf(json + json_len, "\"}");

	/* Nothing is taken out of the list meanwhile: close callbacks come after we return. */
	for (to = members; to; to = to->next) {
		int result;

		if (strcmp(to->host, from->host) != 0)
			continue;
		if (to->is_json)
			result = ws_write_conn(to->conn, (int)json_len, json);
		else
			result = ws_write_conn(to->conn, (int)plain_len, plain);
		if (result == -1)
			ws_close_conn(to->conn, 1);	/* 200 frames wait: it does not read */
	}
}

void ws_close_callback(void *conn)
{
	struct member *member = (struct member *)ws_get_data(conn), **link = &members;

	while (*link != member)
		link = &(*link)->next;
	*link = member->next;
	free(member);
}
