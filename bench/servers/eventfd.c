/*
 * The limit of ws_post(): a loop that waits on epoll, and an eventfd to which other threads write.  One call at a
 * time needs no more.  For many there is an array under a lock: who finds it empty writes to the eventfd, and the
 * loop takes all that is in it at once.
 *
 *	eventfd post unix:PATH | tcp:PORT
 */
#define _GNU_SOURCE
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "listen.h"
#include "posting.h"

#define EVENTS 16

struct task {
	void (*func)(void *data);
	void *data;
};

struct tasks {
	struct task *items;
	size_t count, room;
};

/* The one that is written before its eventfd is, and read after it. */
static struct task single;
static int single_bell, queue_bell;
static struct tasks queue;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void ring(int bell)
{
	uint64_t one = 1;

	if (write(bell, &one, sizeof one) != sizeof one)
		abort();
}

static void silence(int bell)
{
	uint64_t count;

	if (read(bell, &count, sizeof count) != sizeof count)
		abort();
}

static int post_one(void (*func)(void *), void *data)
{
	single = (struct task){ func, data };
	ring(single_bell);
	return 0;
}

static int post_many(void (*func)(void *), void *data)
{
	int was_empty;

	pthread_mutex_lock(&lock);
	was_empty = queue.count == 0;
	if (queue.count == queue.room) {
		size_t room = queue.room ? 2 * queue.room : 1024;
		struct task *items = realloc(queue.items, room * sizeof *items);

		if (items == NULL) {
			pthread_mutex_unlock(&lock);
			return -1;
		}
		queue.items = items;
		queue.room = room;
	}
	queue.items[queue.count++] = (struct task){ func, data };
	pthread_mutex_unlock(&lock);
	if (was_empty)
		ring(queue_bell);
	return 0;
}

/* The array that was run last is the next one to be filled. */
static void run_queue(void)
{
	static struct tasks taken;
	struct tasks empty = { taken.items, 0, taken.room };

	pthread_mutex_lock(&lock);
	taken = queue;
	queue = empty;
	pthread_mutex_unlock(&lock);
	for (size_t index = 0; index < taken.count; index++)
		taken.items[index].func(taken.items[index].data);
}

/* In a frame, as the client expects it. */
static void answer(void *data)
{
	struct posting *posting = data;
	size_t len = strlen(posting->figures);
	char frame[2 + sizeof posting->figures] = { (char)0x81, (char)len };

	memcpy(frame + 2, posting->figures, len);
	send((int)(intptr_t)posting->client, frame, 2 + len, MSG_NOSIGNAL);
	free(posting);
}

/* A frame without a mask, of at most 125 bytes. */
static void receive(int client)
{
	char frame[256];
	ssize_t got = recv(client, frame, sizeof frame - 1, 0);

	if (got <= 2) {
		close(client);
		return;
	}
	frame[got] = '\0';
	posting_begin(frame + 2, post_one, post_many, answer, (void *)(intptr_t)client);
}

static void wait_for(int poll, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	if (fd < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) != 0)
		abort();
}

int main(int argc, char **argv)
{
	struct epoll_event events[EVENTS];
	int listener, poll = epoll_create1(EPOLL_CLOEXEC);

	if (argc != 3 || strcmp(argv[1], "post") != 0) {
		fprintf(stderr, "usage: %s post unix:PATH | tcp:PORT\n", argv[0]);
		return 2;
	}
	single_bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	queue_bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	listener = listen_at(argv[2]);
	wait_for(poll, single_bell);
	wait_for(poll, queue_bell);
	wait_for(poll, listener);
	for (;;) {
		int count = epoll_wait(poll, events, EVENTS, -1);

		for (int i = 0; i < count; i++) {
			int fd = events[i].data.fd;

			if (fd == single_bell) {
				silence(fd);
				single.func(single.data);
			} else if (fd == queue_bell) {
				silence(fd);
				run_queue();
			} else if (fd == listener) {
				int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

				if (client >= 0)
					wait_for(poll, client);
			} else {
				receive(fd);
			}
		}
	}
}
