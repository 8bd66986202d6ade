/*
 * auth.c: who may connect: tokens, a login that leaves a cookie, and a limit for those who guess.  Its page
 * is auth/index.html.
 *
 *     cc -o auth auth.c $(pkg-config --cflags --libs dorrit) -pthread
 *     echo "ann $(openssl rand -hex 32)" >tokens
 *     ./auth -x -p 8080 -w auth -f tokens
 *
 * Each line of the file that -f names has a name and a token.
 *
 *     POST /login     the body is a token: 204, and a cookie that has it; or 401
 *     POST /logout    204, and the cookie is gone
 *     WebSocket       with the cookie "token=TOKEN", or where there are no cookies as /?token=TOKEN,
 *                     which logs may keep: it is told "welcome NAME", and then what it says; or 401
 *
 * Whoever has failed ten times within a minute is answered 429.  That goes by the address, so behind a web server
 * --forwarded 1 must say where it stands (proxies/).  Then, or wherever else there is TLS, have the cookie
 * be "Secure" too.
 *
 * It shows how another thread decides on a request, as one would that asks a database or takes its time over a
 * password: ws_defer() puts the decision off, the worker hands its verdict over by ws_post(), and
 * ws_accept() or ws_respond() answers.  The client may have left by then: its handle is recognised as stale.
 */
#include <dorrit.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	NAME_BYTES = 32,
	TOKEN_BYTES = 128,	/* with a zero byte at least at the end of both */
	USERS_MAX = 100,
	SOURCES = 1024,		/* whose failures are counted; with more of them, the oldest are forgotten */
	FAILURES_MAX = 10,
	FORGET_SECONDS = 60
};

static struct user {
	char name[NAME_BYTES], token[TOKEN_BYTES];
} users[USERS_MAX];
static int count;

/* What we keep for a client, from ws_defer() to ws_close_callback(). */
struct client {
	int logs_in;
	char greeting[NAME_BYTES + 16];
};

/* A question to the worker, and its answer.  It belongs to one thread at a time. */
struct job {
	void *conn;		/* a value, which may be kept and handed on */
	const struct user *user;
	char token[TOKEN_BYTES];
	struct job *next;
};

static pthread_t worker;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct job *first, **last = &first;	/* the queue, for whoever holds the mutex */
static int is_over;

/* ---- Who guesses too much ---- */

static struct source {
	unsigned char key[16];
	int failures;
	time_t since;
} sources[SOURCES];

/* Where a client comes from.  Of IPv6 that is half an address: whoever has one has the others, too. */
static struct source *find_source(void *conn)
{
	const char *address = ws_get_address(conn);	/* "": unknown, and one source */
	unsigned char key[16] = { 0 };
	struct source *oldest = sources, *it;
	time_t now = time(NULL);

	if (inet_pton(AF_INET6, address, key) == 1)
		memset(key + 8, 0, 8);
	else
		inet_pton(AF_INET, address, key + 12);

	for (it = sources; it < sources + SOURCES; it++) {
		if (memcmp(it->key, key, sizeof key) == 0 && now - it->since < FORGET_SECONDS)
			return it;
		if (it->since < oldest->since)
			oldest = it;
	}
	memcpy(oldest->key, key, sizeof key);
	oldest->failures = 0;
	oldest->since = now;
	return oldest;
}

/* ---- The worker ---- */

/* Compares all bytes, wherever the first one differs: the time that it takes tells nothing. */
static int is_same(const char *one, const char *other)
{
	unsigned char differs = 0;
	int i;

	for (i = 0; i < TOKEN_BYTES; i++)
		differs |= (unsigned char)(one[i] ^ other[i]);
	return differs == 0;
}

static int challenge(void *conn)
{
	ws_set_header(conn, "WWW-Authenticate", "Bearer realm=\"auth\"");
	return 401;
}

/* Has the browser keep the cookie, out of the reach of scripts and of other sites, or forget it. */
static void set_cookie(void *conn, const char *token, long seconds)
{
	char cookie[TOKEN_BYTES + 80];

	snprintf(cookie, sizeof cookie, "token=%s; Path=/; Max-Age=%ld; HttpOnly; SameSite=Strict", token,
	    seconds);
	ws_set_header(conn, "Set-Cookie", cookie);
}

/* On the server's thread: the verdict becomes an answer. */
static void decide(void *data)
{
	struct job *job = (struct job *)data;
	struct client *client = (struct client *)ws_get_data(job->conn);	/* NULL: it has left */
	struct source *source;

	if (client && !job->user) {
		ws_respond(job->conn, challenge(job->conn));
	} else if (client) {
		source = find_source(job->conn);
		source->failures -= source->failures > 0;	/* it was none */
		if (client->logs_in) {
			set_cookie(job->conn, job->token, 7 * 24 * 3600L);
			ws_respond(job->conn, 204);
		} else if (ws_accept(job->conn) == 0) {
			snprintf(client->greeting, sizeof client->greeting, "welcome %s", job->user->name);
			ws_send(&job->conn, 1, 0, client->greeting, strlen(client->greeting));
		}
	}
	free(job);
}

/* Waits for a question, and takes it.  NULL: it is over. */
static struct job *take(void)
{
	struct job *job;

	pthread_mutex_lock(&mutex);
	while (!first && !is_over)
		pthread_cond_wait(&changed, &mutex);
	job = first;
	if (job && !(first = job->next))
		last = &first;
	pthread_mutex_unlock(&mutex);
	return job;
}

static void *work(void *data)
{
	struct job *job;
	int i;

	(void)data;

	while ((job = take()) != NULL) {
		for (i = 0; i < count; i++)	/* here a database might be asked */
			if (is_same(users[i].token, job->token))
				job->user = &users[i];
		if (ws_post(decide, job) != 0)
			free(job);	/* the server has ended */
	}
	return NULL;
}

/* ---- Requests ---- */

/* Has the worker look for the token, and returns 0; or the status with which the client is turned away. */
static int ask(void *conn, const char *token, size_t len, int logs_in)
{
	struct source *source = find_source(conn);
	struct client *client;
	struct job *job;

	if (source->failures >= FAILURES_MAX) {
		ws_set_header(conn, "Retry-After", "60");
		return 429;
	}
	if (len == 0 || len >= TOKEN_BYTES)
		return challenge(conn);

	client = (struct client *)calloc(1, sizeof *client);
	job = (struct job *)calloc(1, sizeof *job);
	if (!client || !job || ws_defer(conn) != 0) {
		free(client);
		free(job);
		return 503;	/* no memory */
	}
	source->failures++;	/* until it is known to be none: many may ask at a time */
	client->logs_in = logs_in;
	ws_set_data(conn, client);
	job->conn = conn;
	memcpy(job->token, token, len);

	pthread_mutex_lock(&mutex);
	*last = job;
	last = &job->next;
	pthread_cond_signal(&changed);
	pthread_mutex_unlock(&mutex);
	return 0;
}

/* Finds "token=" in a list such as "a=b; token=c", and says how long its value is. */
static const char *find_token(const char *list, const char *ends, size_t *len)
{
	for (; *list; list += strcspn(list, ends)) {
		list += strspn(list, ends);
		if (strncmp(list, "token=", 6) == 0) {
			*len = strcspn(list + 6, ends);
			return list + 6;
		}
	}
	*len = 0;
	return list;
}

int ws_open_callback(void *conn, char *cookie)
{
	const char *target = ws_get_target(conn), *token;
	size_t len;
	int status;

	token = find_token(cookie, "; ", &len);
	if (len == 0 && target)
		token = find_token(target + strcspn(target, "?"), "?&", &len);
	status = ask(conn, token, len, 0);
	if (status != 0)
		ws_set_status(conn, status);
	return status;
}

int ws_request_callback(void *conn, const char *method, const char *target, size_t len,
    const unsigned char *body)
{
	int logs_in = strcmp(target, "/login") == 0;

	if (!logs_in && strcmp(target, "/logout") != 0)
		return 0;	/* a page, where -w is given */
	if (strcmp(method, "POST") != 0) {
		ws_set_header(conn, "Allow", "POST");
		return 405;
	}
	if (logs_in)
		return ask(conn, (const char *)body, len, 1);
	set_cookie(conn, "", 0);
	return 204;
}

void ws_read_callback(void *conn, int binary, int len, unsigned char *buffer)
{
	ws_write_conn(&conn, 1, binary, (unsigned int)len, buffer);
}

/* Follows each ws_defer(), however the request ended, and each connection that became of one. */
void ws_close_callback(void *conn)
{
	free(ws_get_data(conn));
}

/* ---- The program ---- */

static int read_users(const char *path)
{
	FILE *file = path ? fopen(path, "r") : NULL;
	char line[256], more;
	int is_sound = 1;

	if (!file)
		return -1;
	for (; is_sound && count < USERS_MAX && fgets(line, sizeof line, file); count++)
		is_sound = sscanf(line, "%31s %127s %c", users[count].name, users[count].token, &more) == 2;
	fclose(file);
	return is_sound && count > 0 ? 0 : -1;
}

void ws_init_func(void)
{
	ws_set_name("auth");
	if (read_users(ws_config_file) != 0) {
		fprintf(stderr, "auth: the option -f must name a file with a name and a token on each line\n");
		exit(1);
	}
	/* A browser sends the cookie whichever page connects.  The option --origin has the last word. */
	ws_set_origins("same");
}

/* Here, in the process that serves: threads do not come along where a server becomes a daemon. */
int ws_start_callback(void)
{
	return pthread_create(&worker, NULL, work, NULL);
}

void ws_exit_func(void)
{
	pthread_mutex_lock(&mutex);
	is_over = 1;
	pthread_cond_signal(&changed);
	pthread_mutex_unlock(&mutex);
	pthread_join(worker, NULL);
}
