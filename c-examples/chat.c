/*
 * chat.c: one room, and everybody hears everybody.  Its page is chat/index.html.
 *
 *     cc -o chat chat.c $(pkg-config --cflags --libs dorrit)
 *     ./chat -x -p 8080 -w chat
 *
 * What a client sends is what it says, nothing else.  What it is sent is text:
 * a kind and fields, with a tab between them; the last field of "said" may hold
 * anything, tabs and new lines too.
 *
 *     you NAME                 to who comes: as whom the room knows him
 *     said ID NAME TEXT        somebody spoke; to who comes, also what was said last
 *     here COUNT NAME NAME...  who is here, to all, whenever that changes
 *
 * IDs grow, also from one start of the server to the next: who comes back knows
 * what he has read already.  They are microseconds since 1970, or soon after.
 * In a room of more than QUIET_FROM, "here" has no names, and comes each second
 * at most.  A client's name is the cookie "name"; who sends none is a guest.
 *
 * Each message goes to all with one call of ws_write_conn().  Who does not take
 * what is sent is found with ws_get_qlen(), and put out.
 */
#include <dorrit.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

enum {
	NAME_MAX_BYTES = 24,		/* of a name; the rest is cut off */
	TEXT_MAX_BYTES = 4 * 65535,	/* of what is said: so many characters, of any kind */
	HEAD_MAX_BYTES = 64 + NAME_MAX_BYTES,	/* of the fields before it */
	HISTORY_MAX = 50,		/* messages that are kept for those who come */
	HISTORY_MAX_BYTES = 1 << 20,	/* of all of them; the last one is kept in any case */
	QUEUE_MAX_FRAMES = 1000,	/* waiting for one client: past that it is too slow */
	QUIET_FROM = 200		/* in a larger room nobody is told who comes and goes */
};

/* What we keep for each client; the library keeps the pointer to it. */
struct member {
	int place;		/* in the arrays */
	char name[NAME_MAX_BYTES + 1];
};

static void **handles;		/* of all who are here, ready for ws_write_conn() */
static struct member **members;	/* the same, in the same order */
static int count;		/* how many they are */
static int room;		/* how many there is room for */
static int is_untold;		/* not all know who is here */
static unsigned long guests;

/* What was said last: a ring, of which `oldest` is the first. */
static struct message {
	char *bytes;
	size_t len;
} history[HISTORY_MAX];
static int oldest, kept;
static size_t kept_bytes;

/* Queues one message for everybody. */
static void say(char *text, size_t len)
{
	if (ws_write_conn(handles, count, 0, (unsigned int)len, (unsigned char *)text) == -1)
		syslog(LOG_ERR, "no memory: a message was not sent");
}

static void forget_oldest(void)
{
	kept_bytes -= history[oldest].len;
	free(history[oldest].bytes);
	oldest = (oldest + 1) % HISTORY_MAX;
	kept--;
}

/* Keeps a message for those who come.  The bytes are ours from now on. */
static void keep(char *bytes, size_t len)
{
	struct message *message;

	while (kept > 0 && (kept == HISTORY_MAX || kept_bytes + len > HISTORY_MAX_BYTES))
		forget_oldest();

	message = &history[(oldest + kept++) % HISTORY_MAX];
	message->bytes = bytes;
	message->len = len;
	kept_bytes += len;
}

/* A number that is larger than the one before, also after a new start. */
static unsigned long long next_id(void)
{
	static unsigned long long last;
	unsigned long long now = (unsigned long long)time(NULL) * 1000000;

	last = now > last ? now : last + 1;
	return last;
}

/* Tells everybody who is here. */
static void tell(void)
{
	static char line[HEAD_MAX_BYTES + QUIET_FROM * (NAME_MAX_BYTES + 1)];
	size_t len = (size_t)sprintf(line, "here\t%d", count);
	int i;

	if (count <= QUIET_FROM)
		for (i = 0; i < count; i++)
			len += (size_t)sprintf(line + len, "\t%s", members[i]->name);
	say(line, len);
	is_untold = 0;
}

/* Somebody has come or gone.  When thousands do at once, thousands of lines to each are too many. */
static void has_changed(void)
{
	if (count > QUIET_FROM)
		is_untold = 1;
	else
		tell();
}

/* Each second: who has too much waiting is put out, before it costs the others their memory. */
static void each_second(void)
{
	int i;

	/* Nothing moves in the arrays meanwhile: the close callbacks come after we return. */
	for (i = 0; i < count; i++)
		if (ws_get_qlen(handles[i]) > QUEUE_MAX_FRAMES)
			ws_close_conn(handles[i], 1);

	if (is_untold)
		tell();
}

/*
 * Finds the cookie "name" in a header such as "theme=dark; name=ann", and
 * copies its value as far as it fits.  The header comes from the client and
 * may hold any byte: only what is plain enough for a name is kept, so that
 * what we send on is text, and has no tab where none belongs.
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

/* Makes room for one more; 0 where there is no memory. */
static int grow(void)
{
	int more = room ? room * 2 : 64;
	void **conns;
	struct member **people;

	if (count < room)
		return 1;

	conns = (void **)realloc(handles, (size_t)more * sizeof *conns);
	if (conns)
		handles = conns;
	people = (struct member **)realloc(members, (size_t)more * sizeof *people);
	if (people)
		members = people;
	if (!conns || !people)
		return 0;

	room = more;
	return 1;
}

void ws_init_func(void)
{
	char name[] = "chat";

	ws_set_name(name);
	ws_set_max_message(TEXT_MAX_BYTES);
	ws_set_periodic(each_second, 1);
}

int ws_open_callback(void *conn, char *cookie)
{
	char line[HEAD_MAX_BYTES];
	struct member *member = (struct member *)malloc(sizeof *member);
	int i;

	if (!member || !grow()) {
		free(member);
		return -1;	/* no memory: this client is refused, the others stay */
	}

	find_name(cookie, member->name);
	member->place = count;
	members[count] = member;
	handles[count++] = conn;
	ws_set_data(conn, member);

	ws_write_conn(&conn, 1, 0, (unsigned int)sprintf(line, "you\t%s", member->name),
	    (unsigned char *)line);
	for (i = 0; i < kept; i++) {
		struct message *message = &history[(oldest + i) % HISTORY_MAX];

		ws_write_conn(&conn, 1, 0, (unsigned int)message->len,
		    (unsigned char *)message->bytes);
	}
	has_changed();
	return 0;
}

/* Somebody speaks: change here what becomes of it. */
void ws_read_callback(void *conn, int binary, int len, unsigned char *buffer)
{
	const struct member *member = (const struct member *)ws_get_data(conn);
	char *message;
	size_t head;
	int i;

	if (binary || len == 0)
		return;		/* the room is for text */

	/* Who reads us in a terminal must not have it commanded by others. */
	for (i = 0; i < len; i++)
		if ((buffer[i] < 0x20 && buffer[i] != '\n' && buffer[i] != '\t') || buffer[i] == 0x7F)
			buffer[i] = ' ';

	message = (char *)malloc(HEAD_MAX_BYTES + (size_t)len);
	if (!message) {
		syslog(LOG_ERR, "no memory: a message was not sent");
		return;
	}
	head = (size_t)sprintf(message, "said\t%llu\t%s\t", next_id(), member->name);
	memcpy(message + head, buffer, (size_t)len);
	say(message, head + (size_t)len);
	keep(message, head + (size_t)len);
}

void ws_close_callback(void *conn)
{
	struct member *member = (struct member *)ws_get_data(conn);
	int place = member->place;

	/* The last in the arrays moves to the place that becomes free. */
	count--;
	handles[place] = handles[count];
	members[place] = members[count];
	members[place]->place = place;

	free(member);
	has_changed();
}

/* Every client has had its close callback by now, so that the arrays are empty. */
void ws_exit_func(void)
{
	while (kept > 0)
		forget_oldest();
	free(handles);
	free(members);
}
