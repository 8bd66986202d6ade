/*
 * chat.c: one room, and everybody hears everybody.
 *
 *     cc -o chat chat.c $(pkg-config --cflags --libs dorrit)
 *     ./chat -x -l /tmp/chat.socket
 *
 * A client's name is the cookie "name"; who sends none is a guest.  Each line
 * that is said goes to all with one call of ws_write_conn().  Who does not
 * take what is sent is found with ws_get_qlen(), and put out.
 */
#include <dorrit.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

enum {
	NAME_MAX_BYTES = 24,	/* of a name; the rest is cut off */
	LINE_MAX_BYTES = 2000,	/* of what is said in one message; likewise */
	QUEUE_MAX_FRAMES = 1000,/* waiting for one client: past that it is too slow */
	QUIET_FROM = 200	/* in a larger room nobody is told who comes and goes */
};

/* What we keep for each client; the library keeps the pointer to it. */
struct member {
	int place;		/* in the array of handles */
	char name[NAME_MAX_BYTES + 1];
};

static void **handles;	/* of all who are here, ready for ws_write_conn() */
static int count;	/* how many they are */
static int room;	/* how many there is room for */
static unsigned long guests;

/* Queues one message for everybody. */
static void say(char *text, size_t len)
{
	if (ws_write_conn(handles, count, 0, (unsigned int)len, (unsigned char *)text) == -1)
		syslog(LOG_ERR, "no memory: a message was not sent");
}

static void announce(const struct member *who, const char *what)
{
	char line[NAME_MAX_BYTES + 64];
	int len;

	if (count > QUIET_FROM)
		return;		/* when thousands come at once, thousands of lines to each */

	len = snprintf(line, sizeof line, "* %s has %s (%d here)", who->name, what, count);
	if (len > 0 && (size_t)len < sizeof line)
		say(line, (size_t)len);
}

/*
 * Finds the cookie "name" in a header such as "theme=dark; name=ann", and
 * copies its value as far as it fits.  The header comes from the client and
 * may hold any byte: only what is plain enough for a name is kept, so that
 * what we send on is text.
 */
static void find_name(const char *cookie, char *name)
{
	size_t len = 0;

	while (*cookie) {
		cookie += strspn(cookie, " \t;");
		if (strncmp(cookie, "name=", 5) == 0) {
			for (cookie += 5; *cookie && *cookie != ';'; cookie++)
				if (len < NAME_MAX_BYTES &&
				    (isalnum((unsigned char)*cookie) || strchr("-_.", *cookie)))
					name[len++] = *cookie;
			break;
		}
		cookie += strcspn(cookie, ";");
	}
	name[len] = '\0';

	if (len == 0)
		snprintf(name, NAME_MAX_BYTES + 1, "guest-%lu", ++guests);
}

/*
 * Makes a client's text fit to be shown to others: at most LINE_MAX_BYTES of
 * it, never ending within a character, and no control characters, with which
 * one could forge a line of somebody else's.  Returns the new length.
 *
 * The library lets no text pass that is not UTF-8, so it is enough to look at
 * the byte at the cut: while it continues a character, the cut is in its middle.
 */
static size_t tidy(unsigned char *text, size_t len)
{
	size_t i;

	if (len > LINE_MAX_BYTES) {
		len = LINE_MAX_BYTES;
		while (len > 0 && (text[len] & 0xC0) == 0x80)
			len--;
	}

	for (i = 0; i < len; i++)
		if (text[i] < 0x20 || text[i] == 0x7F)
			text[i] = ' ';

	return len;
}

/* Each second: who has too much waiting is put out, before it costs the others their memory. */
static void put_out_the_slow(void)
{
	int i;

	/* Nothing moves in the array meanwhile: the close callbacks come after we return. */
	for (i = 0; i < count; i++)
		if (ws_get_qlen(handles[i]) > QUEUE_MAX_FRAMES)
			ws_close_conn(handles[i], 1);
}

void ws_init_func(void)
{
	char name[] = "chat";

	ws_set_name(name);
	ws_set_periodic(put_out_the_slow, 1);
}

int ws_open_callback(void *conn, char *cookie)
{
	struct member *member;

	if (count == room) {
		int more = room ? room * 2 : 64;
		void **grown = (void **)realloc(handles, (size_t)more * sizeof *grown);

		if (!grown)
			return -1;	/* no memory: this client is refused, the others stay */
		handles = grown;
		room = more;
	}

	member = (struct member *)malloc(sizeof *member);
	if (!member)
		return -1;

	find_name(cookie, member->name);
	member->place = count;
	handles[count++] = conn;
	ws_set_data(conn, member);
	announce(member, "joined");
	return 0;
}

void ws_read_callback(void *conn, int binary, int len, unsigned char *buffer)
{
	static char line[NAME_MAX_BYTES + 2 + LINE_MAX_BYTES];
	const struct member *member = (const struct member *)ws_get_data(conn);
	size_t said, prefix;

	if (binary)
		return;		/* the room is for text */

	said = tidy(buffer, (size_t)len);
	if (said == 0)
		return;

	prefix = strlen(member->name);
	memcpy(line, member->name, prefix);
	memcpy(line + prefix, ": ", 2);
	prefix += 2;
	memcpy(line + prefix, buffer, said);
	say(line, prefix + said);
}

void ws_close_callback(void *conn)
{
	struct member *member = (struct member *)ws_get_data(conn);
	void *last = handles[--count];

	/* The last in the array moves to the place that becomes free. */
	handles[member->place] = last;
	((struct member *)ws_get_data(last))->place = member->place;

	announce(member, "left");
	free(member);
}

/* Every client has had its close callback by now, so that the array is all there is. */
void ws_exit_func(void)
{
	free(handles);
}
