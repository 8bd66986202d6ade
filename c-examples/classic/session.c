/*
 * session.c: only who is logged in may connect, in the older interface,
 * libdorrit(8).
 *
 *     cc -o session session.c $(pkg-config --cflags --libs dorrit-classic)
 *     ./session -h -x -l /tmp/session.socket -f sessions
 *
 * With -h the library tells ws_open_callback() the request's Cookie header.
 * The application that visitors log in to gives each of them a cookie "session"
 * and adds a line to the file "sessions": the cookie's value, a blank, and the
 * visitor's name in plain letters.  The value is TOKEN_BYTES characters that nobody can guess,
 * such as those of "openssl rand -hex 16".  The user that the server runs as must
 * be able to read the file, and as few others as can be.
 */
#include <dorrit.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

enum {
	TOKEN_BYTES = 32,
	NAME_MAX_BYTES = 32
};

/*
 * Finds the cookie "session" in a header such as "theme=dark; session=...".
 * Returns where its value begins, if that is as long as a token.
 */
static const char *find_token(const char *cookie)
{
	while (*cookie) {
		cookie += strspn(cookie, " \t;");
		if (strncmp(cookie, "session=", 8) == 0) {
			cookie += 8;
			return strcspn(cookie, "; \t") == TOKEN_BYTES ? cookie : NULL;
		}
		cookie += strcspn(cookie, ";");
	}
	return NULL;
}

/*
 * Whether two tokens are the same.  strcmp() stops at the first byte that
 * differs: who measures how long the answer takes learns how much of a guess is
 * right, and finds the token byte by byte.  This looks at all of them.
 */
static int is_same(const char *one, const char *other)
{
	volatile unsigned char difference = 0;	/* volatile: no compiler shortens the loop */
	int i;

	for (i = 0; i < TOKEN_BYTES; i++)
		difference = (unsigned char)(difference | (one[i] ^ other[i]));
	return difference == 0;
}

/*
 * Finds the name that goes with a token.  The file is read each time, so that
 * who has just logged in can connect at once; and to its end, whoever it is.
 */
static int find_name(const char *token, char *name)
{
	char line[256], known[TOKEN_BYTES + 1], whose[NAME_MAX_BYTES + 1];
	FILE *file = fopen(ws_config_file, "r");
	int is_known = 0;

	if (!file) {
		syslog(LOG_ERR, "%s: %s", ws_config_file, strerror(errno));
		return 0;
	}

	/* The widths are TOKEN_BYTES and NAME_MAX_BYTES. */
	while (fgets(line, sizeof line, file))
		if (sscanf(line, "%32s %32s", known, whose) == 2 &&
		    strlen(known) == TOKEN_BYTES && is_same(known, token)) {
			strcpy(name, whose);
			is_known = 1;
		}

	fclose(file);
	return is_known;
}

/* It runs anew when the server starts itself anew, and then as the user that the server runs as. */
void ws_init_func(void)
{
	char name[] = "session";

	ws_set_name(name);
	if (!ws_config_file) {
		fprintf(stderr, "session: -f must name the file of sessions\n");
		exit(1);
	}
}

int ws_open_callback(void *conn, char *cookie, char *hostname, char *protocol)
{
	const char *token = find_token(cookie);
	char *name = (char *)malloc(NAME_MAX_BYTES + 1);
	char text[NAME_MAX_BYTES + 16];

	(void)hostname;	/* "", with -h */
	(void)protocol;

	if (!token || !name || !find_name(token, name)) {
		free(name);
		return 1;	/* nobody that we know: the client is answered 403 */
	}

	/* The library keeps one pointer for each client. */
	ws_set_data(conn, name);

	/* What is queued here is the first that the client hears. */
	ws_write_conn(conn, sprintf(text, "welcome, %s", name), text);
	return 0;
}

/* Who says "bye" is let go; everything else is said back, with the name before it. */
void ws_read_callback(void *conn, int len, char *buffer)
{
	static char line[NAME_MAX_BYTES + 2 + 65535];
	const char *name = (const char *)ws_get_data(conn);
	size_t prefix = strlen(name);

	if (len == 3 && memcmp(buffer, "bye", 3) == 0) {
		ws_close_conn(conn, 0);
		return;
	}

	memcpy(line, name, prefix);
	memcpy(line + prefix, ": ", 2);
	memcpy(line + prefix + 2, buffer, (size_t)len);
	if (ws_write_conn(conn, (int)prefix + 2 + len, line) == -1)
		ws_close_conn(conn, 1);	/* too much is waiting for this client already */
}

void ws_close_callback(void *conn)
{
	free(ws_get_data(conn));
}
