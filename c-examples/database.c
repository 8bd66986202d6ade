/*
 * database.c: a database behind a WebSocket server, asked by a pool of threads.
 *
 *     cc -o database database.c $(pkg-config --cflags --libs dorrit sqlite3) -pthread
 *     ./database -x -p 8080 -- /tmp/database.sqlite
 *
 * A message is a query: a word that the client makes up, by which it knows the
 * answer, and then
 *
 *     ID put KEY VALUE     ID ok
 *     ID get KEY           ID value VALUE, or ID none
 *     ID sleep SECONDS     ID ok, when so much time has passed: a slow query
 *
 * or ID error TEXT.  Queries that are under way at the same time are answered in
 * the order in which they are done: who wants to read what he has written waits
 * for the answer first.
 *
 * It shows what is done with calls that take long.  The server's thread must not
 * wait for them, since nobody would be served meanwhile.  So it hands the query to
 * another thread, through a queue with a mutex; and that one hands the answer back
 * by ws_post(), the one function by which another thread reaches the server's.
 * The client may have left by then: its handle is recognised as stale, and
 * nothing happens.
 */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE		/* glibc: clock_gettime(2), also under -std=c99 */
#endif
#include <dorrit.h>

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	THREADS = 4,
	QUERY_MAX_BYTES = 4096,
	WAITING_MAX = 10000,	/* queries: past that the answer is that there are too many */
	BUSY_MILLIS = 10000,	/* how long one thread waits for another one that writes */
	SLEEP_MAX_SECONDS = 3600
};

/* A query, and then its answer.  It belongs to one thread at a time. */
struct job {
	void *conn;
	struct job *next;
	char *answer;		/* from sqlite3_mprintf(); NULL: no memory */
	char query[1];		/* as long as it must be */
};

/* What a thread of the pool has. */
struct worker {
	pthread_t thread;
	sqlite3 *db;		/* each its own connection: they do not wait for each other to read */
	sqlite3_stmt *get, *put;
};

static struct worker workers[THREADS];
static int started;		/* how many of them have a thread */

/* The queue, and what goes with it, are for whoever holds the mutex. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;	/* there is a query, or it is over */
static pthread_cond_t over = PTHREAD_COND_INITIALIZER;		/* it is over */
static struct job *first, **last = &first;
static int waiting;
static int is_over;

static void free_job(struct job *job)
{
	sqlite3_free(job->answer);
	free(job);
}

/* On the server's thread, where the library may be called: the answer goes out. */
static void deliver(void *data)
{
	struct job *job = (struct job *)data;

	if (job->answer)
		ws_send(&job->conn, 1, 0, job->answer, strlen(job->answer));
	else
		ws_close_conn_code(job->conn, 1013, "no memory: try again later");
	free_job(job);
}

/* Waits for a query, and takes it.  NULL: it is over. */
static struct job *take(void)
{
	struct job *job = NULL;

	pthread_mutex_lock(&mutex);
	while (!first && !is_over)
		pthread_cond_wait(&changed, &mutex);
	if (!is_over) {
		job = first;
		first = job->next;
		if (!first)
			last = &first;
		waiting--;
	}
	pthread_mutex_unlock(&mutex);
	return job;
}

/* Sleeps, as a stand-in for a query that takes long, unless it is over before. */
static const char *sleep_for(int seconds)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += seconds;
	pthread_mutex_lock(&mutex);
	while (!is_over && pthread_cond_timedwait(&over, &mutex, &end) == 0)
		;
	pthread_mutex_unlock(&mutex);
	return "ok";
}

/* The text of the first column goes to *value, to be freed with sqlite3_free(). */
static const char *get(struct worker *worker, const char *key, char **value)
{
	const char *what = "none";
	int code;

	sqlite3_bind_text(worker->get, 1, key, -1, SQLITE_STATIC);
	code = sqlite3_step(worker->get);
	if (code == SQLITE_ROW) {
		*value = sqlite3_mprintf("%s", sqlite3_column_text(worker->get, 0));
		what = "value";
	} else if (code != SQLITE_DONE) {
		*value = sqlite3_mprintf("%s", sqlite3_errmsg(worker->db));
		what = "error";
	}
	sqlite3_reset(worker->get);
	return what;
}

static const char *put(struct worker *worker, const char *key, const char *value, char **error)
{
	const char *what = "ok";

	/* What is bound, and not pasted into the statement, can be anything. */
	sqlite3_bind_text(worker->put, 1, key, -1, SQLITE_STATIC);
	sqlite3_bind_text(worker->put, 2, value, -1, SQLITE_STATIC);
	if (sqlite3_step(worker->put) != SQLITE_DONE) {
		*error = sqlite3_mprintf("%s", sqlite3_errmsg(worker->db));
		what = "error";
	}
	sqlite3_reset(worker->put);
	return what;
}

/* Cuts the first word off, and returns it. */
static char *word(char **rest)
{
	char *begin = *rest, *end = strchr(begin, ' ');

	if (!end) {
		*rest = begin + strlen(begin);
		return begin;
	}
	*end = '\0';
	*rest = end + 1;
	return begin;
}

/* Answers a query, however long it takes. */
static void answer(struct worker *worker, struct job *job)
{
	char *rest = job->query, *more = NULL;
	const char *id = word(&rest), *verb = word(&rest), *key, *what;

	if (strcmp(verb, "get") == 0) {
		what = get(worker, rest, &more);
	} else if (strcmp(verb, "put") == 0) {
		key = word(&rest);
		what = put(worker, key, rest, &more);
	} else if (strcmp(verb, "sleep") == 0 && atoi(rest) > 0 && atoi(rest) <= SLEEP_MAX_SECONDS) {
		what = sleep_for(atoi(rest));
	} else {
		what = "error";
		more = sqlite3_mprintf("that is no query");
	}
	job->answer = sqlite3_mprintf("%s %s%s%s", id, what, more ? " " : "", more ? more : "");
	sqlite3_free(more);
}

static void *work(void *data)
{
	struct worker *worker = (struct worker *)data;
	struct job *job;

	while ((job = take()) != NULL) {
		answer(worker, job);
		/* From now on it is the server's; where that has ended, it is still ours. */
		if (ws_post(deliver, job) != 0)
			free_job(job);
	}
	return NULL;
}

static int prepare(struct worker *worker, const char *path)
{
	const char *set_up = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
	    "CREATE TABLE IF NOT EXISTS pairs (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID";

	if (sqlite3_open(path, &worker->db) == SQLITE_OK &&
	    sqlite3_busy_timeout(worker->db, BUSY_MILLIS) == SQLITE_OK &&
	    sqlite3_exec(worker->db, set_up, NULL, NULL, NULL) == SQLITE_OK &&
	    sqlite3_prepare_v2(worker->db, "SELECT value FROM pairs WHERE key = ?", -1,
	    &worker->get, NULL) == SQLITE_OK &&
	    sqlite3_prepare_v2(worker->db, "INSERT OR REPLACE INTO pairs VALUES (?, ?)", -1,
	    &worker->put, NULL) == SQLITE_OK)
		return 0;
	fprintf(stderr, "database: %s: %s\n", path, sqlite3_errmsg(worker->db));
	return -1;
}

/* Ends the threads, and gives back what the workers have.  Whoever sleeps is woken; a query of SQLite's
   that is under way is broken off. */
static void end_workers(void)
{
	int i;

	pthread_mutex_lock(&mutex);
	is_over = 1;
	pthread_cond_broadcast(&changed);
	pthread_cond_broadcast(&over);
	pthread_mutex_unlock(&mutex);
	for (i = 0; i < started; i++)
		sqlite3_interrupt(workers[i].db);
	for (i = 0; i < started; i++)
		pthread_join(workers[i].thread, NULL);
	for (i = 0; i < THREADS; i++) {
		sqlite3_finalize(workers[i].get);	/* each does nothing for NULL */
		sqlite3_finalize(workers[i].put);
		sqlite3_close(workers[i].db);
	}
}

void ws_init_func(void)
{
	ws_set_name("database");
	ws_set_max_message(QUERY_MAX_BYTES);
	if (!ws_arguments[0] || ws_arguments[1]) {
		fprintf(stderr, "database: after -- comes the database's file\n");
		exit(1);
	}
}

/* Here, in the process that serves: threads do not come along where a server becomes a daemon, nor do
   SQLite's locks.  The file's directory must be writable for the user that root has made of itself. */
int ws_start_callback(void)
{
	int i;

	for (i = 0; i < THREADS; i++)
		if (prepare(&workers[i], ws_arguments[0]) != 0)
			break;
	for (; i == THREADS && started < THREADS; started++)
		if (pthread_create(&workers[started].thread, NULL, work, &workers[started]) != 0)
			break;
	if (started == THREADS)
		return 0;
	end_workers();
	return -1;
}

int ws_open_callback(void *conn, char *cookie)
{
	(void)conn;
	(void)cookie;
	return 0;
}

/* Puts a query into the queue.  Returns 0 where it is full. */
static int put_in_queue(struct job *job)
{
	int has_room;

	pthread_mutex_lock(&mutex);
	has_room = waiting < WAITING_MAX;
	if (has_room) {
		*last = job;
		last = &job->next;
		waiting++;
		pthread_cond_signal(&changed);
	}
	pthread_mutex_unlock(&mutex);
	return has_room;
}

void ws_read_callback(void *conn, int binary, int len, unsigned char *buffer)
{
	struct job *job;
	char *rest;

	if (binary || memchr(buffer, '\0', (size_t)len)) {
		ws_close_conn_code(conn, 1003, "a query is text");
		return;
	}
	job = (struct job *)malloc(sizeof *job + (size_t)len);
	if (!job) {
		ws_close_conn_code(conn, 1013, "no memory: try again later");
		return;
	}
	job->conn = conn;	/* a value, which may be kept and handed on */
	job->next = NULL;
	job->answer = NULL;
	memcpy(job->query, buffer, (size_t)len + 1);
	if (put_in_queue(job))
		return;
	rest = job->query;
	job->answer = sqlite3_mprintf("%s error too many queries", word(&rest));
	deliver(job);
}

/* Nothing to forget: the answers to what this client has asked go nowhere. */
void ws_close_callback(void *conn)
{
	(void)conn;
}

/* What nobody has begun with is left undone: nobody was told that it is done. */
void ws_exit_func(void)
{
	struct job *job;

	end_workers();
	while ((job = first) != NULL) {
		first = job->next;
		free_job(job);
	}
}
