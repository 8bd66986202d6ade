/*
 * What is measured of a call that has a function run on the thread of a loop: how long that takes while
 * the loop sleeps, and how many such calls go through in a second.  A program hands its call to
 * posting_begin(); the rest is the same for all.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define POSTING_THREADS 4
/* So many latencies are kept. */
#define POSTING_SAMPLES (1 << 20)

/* Has func(data) run on the loop's thread; other than 0 where it cannot. */
typedef int posting_call(void (*func)(void *data), void *data);

/* What a client has asked for. */
struct posting {
	/* The one for which the next call waits, and the one that many threads make. */
	posting_call *one, *many;
	/* Runs on the loop's thread when all is measured; the posting is its to free. */
	void (*done)(void *posting);
	/* Who is to be told. */
	void *client;
	int is_latency;
	/* Nanoseconds, or how many calls a thread makes. */
	long long amount;
	/* Where the calls are made; -1 is where the loop is. */
	int core;
	pid_t loop;
	/* What the client is told. */
	char figures[100];
};

static long long posting_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* The one call that is under way. */
struct posting_single {
	sem_t ran;
	long long time;
};

static void posting_note(void *data)
{
	struct posting_single *single = data;

	single->time = posting_now();
	sem_post(&single->ran);
}

/* Waits until a thread, of which this is /proc's file, sleeps. */
static void posting_await_sleep(int stat)
{
	char text[256], *state;
	ssize_t len;

	do {
		sched_yield();
		len = pread(stat, text, sizeof text - 1, 0);
		text[len < 0 ? 0 : len] = '\0';
		state = strrchr(text, ')');
	} while (state == NULL || strncmp(state, ") S", 3) != 0);
}

static int posting_compare(const void *a, const void *b)
{
	long long one = *(const long long *)a, other = *(const long long *)b;

	return (one > other) - (one < other);
}

/* One call after the other, each into the loop's sleep: how many, the median, the 99th percentile. */
static void posting_measure_latency(struct posting *posting)
{
	long long *samples = malloc(POSTING_SAMPLES * sizeof *samples);
	long long start = posting_now(), called;
	struct posting_single single;
	char path[64];
	int stat, count = 0;

	snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)posting->loop);
	stat = open(path, O_RDONLY | O_CLOEXEC);
	if (samples == NULL || stat < 0)
		abort();
	sem_init(&single.ran, 0, 0);
	do {
		posting_await_sleep(stat);
		called = posting_now();
		if (posting->one(posting_note, &single) != 0)
			abort();
		while (sem_wait(&single.ran) != 0)
			;
		samples[count++] = single.time - called;
	} while (count < POSTING_SAMPLES && posting_now() - start < posting->amount);
	qsort(samples, count, sizeof *samples, posting_compare);
	snprintf(posting->figures, sizeof posting->figures, "%d %lld %lld", count, samples[count / 2],
		 samples[count - 1 - count / 100]);
	sem_destroy(&single.ran);
	close(stat);
	free(samples);
}

/* What has run of the calls that many threads make: the loop's thread alone writes it. */
static struct {
	long long asked, ran, disordered, next[POSTING_THREADS], end;
	sem_t is_over;
} posting_count;

static pthread_barrier_t posting_barrier;

/* `data` is the call's number among its thread's, and the thread's. */
static void posting_note_one(void *data)
{
	uintptr_t thread = (uintptr_t)data % POSTING_THREADS;
	long long number = (uintptr_t)data / POSTING_THREADS;

	if (posting_count.next[thread] != number)
		posting_count.disordered++;
	posting_count.next[thread] = number + 1;
	if (++posting_count.ran == posting_count.asked)
		posting_count.end = posting_now();
}

/* Runs behind all others. */
static void posting_note_end(void *data)
{
	(void)data;
	if (posting_count.ran != posting_count.asked)
		posting_count.end = posting_now();
	sem_post(&posting_count.is_over);
}

struct posting_thread {
	struct posting *posting;
	uintptr_t index;
};

static void *posting_call_often(void *data)
{
	struct posting_thread *thread = data;
	struct posting *posting = thread->posting;

	pthread_barrier_wait(&posting_barrier);
	/* What is refused is missed among those that have run. */
	for (long long number = 0; number < posting->amount; number++)
		posting->many(posting_note_one, (void *)(number * POSTING_THREADS + thread->index));
	return NULL;
}

/* Many threads at a time: how many are missing, how many came out of order, nanoseconds. */
static void posting_measure_rate(struct posting *posting)
{
	struct posting_thread threads[POSTING_THREADS];
	pthread_t ids[POSTING_THREADS];
	long long start;

	memset(&posting_count, 0, sizeof posting_count);
	posting_count.asked = POSTING_THREADS * posting->amount;
	sem_init(&posting_count.is_over, 0, 0);
	pthread_barrier_init(&posting_barrier, NULL, POSTING_THREADS + 1);
	for (int index = 0; index < POSTING_THREADS; index++) {
		threads[index] = (struct posting_thread){ posting, index };
		if (pthread_create(&ids[index], NULL, posting_call_often, &threads[index]) != 0)
			abort();
	}
	start = posting_now();
	pthread_barrier_wait(&posting_barrier);
	for (int index = 0; index < POSTING_THREADS; index++)
		pthread_join(ids[index], NULL);
	if (posting->many(posting_note_end, NULL) != 0)
		abort();
	while (sem_wait(&posting_count.is_over) != 0)
		;
	snprintf(posting->figures, sizeof posting->figures, "%lld %lld %lld",
		 posting_count.asked - posting_count.ran, posting_count.disordered,
		 posting_count.end - start);
	pthread_barrier_destroy(&posting_barrier);
	sem_destroy(&posting_count.is_over);
}

static void *posting_measure(void *data)
{
	struct posting *posting = data;
	cpu_set_t cores;

	if (posting->core >= 0) {
		/* The threads that this one starts stay with it. */
		CPU_ZERO(&cores);
		CPU_SET(posting->core, &cores);
		if (sched_setaffinity(0, sizeof cores, &cores) != 0)
			abort();
	}
	if (posting->is_latency)
		posting_measure_latency(posting);
	else
		posting_measure_rate(posting);
	if (posting->many(posting->done, posting) != 0)
		abort();
	return NULL;
}

/*
 * Begins what a client asks for, on the loop's thread: "latency NANOSECONDS", or "rate CALLS CORE" for so many
 * from each thread, all on that core.  `done` gets the posting, with its figures.
 */
static void posting_begin(const char *text, posting_call *one, posting_call *many, void (*done)(void *),
			  void *client)
{
	struct posting *posting = calloc(1, sizeof *posting);
	char what[8];
	pthread_t thread;

	if (posting == NULL)
		abort();
	posting->core = -1;
	if (sscanf(text, "%7s %lld %d", what, &posting->amount, &posting->core) < 2)
		abort();
	posting->one = one;
	posting->many = many;
	posting->done = done;
	posting->client = client;
	posting->is_latency = strcmp(what, "latency") == 0;
	posting->loop = gettid();
	if (pthread_create(&thread, NULL, posting_measure, posting) != 0)
		abort();
	pthread_detach(thread);
}
