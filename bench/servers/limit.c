/*
 * The limit: what a server cannot be below.  It waits, receives and sends the same bytes back,
 * and knows no protocol.  One recv and one send per event; what the socket does not take at once
 * is kept, and nothing is received meanwhile.  Or it sends them to all who are connected.  Or it
 * sends the same answer for each empty line, at which a plain request ends.
 *
 *	limit echo | broadcast | health unix:PATH | tcp:PORT
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "listen.h"

/* More than a UNIX socket holds by default: smaller ones cost more where messages are large. */
#define BUFFER 262144
#define MAX_FD 65536
#define EVENTS 1024
#define ANSWER "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n\r\nok\n"
#define ANSWER_LEN (sizeof ANSWER - 1)

struct rest {
	char *bytes;
	size_t at, len;
};

static struct rest rests[MAX_FD];
static char buffer[BUFFER];
/* Those who are connected, where there are broadcasts. */
static int clients[MAX_FD], client_count;
static int is_broadcast;
/* As many answers as a buffer may hold empty lines; how much of a line each connection has sent. */
static char answers[BUFFER / 2 * ANSWER_LEN];
static size_t begun[MAX_FD];
static int is_health;

static void wait_for(int poll, int fd, unsigned int events, int operation)
{
	struct epoll_event event = { .events = events, .data.fd = fd };

	epoll_ctl(poll, operation, fd, &event);
}

static void end(int fd)
{
	for (int i = 0; i < client_count; i++)
		if (clients[i] == fd)
			clients[i] = clients[--client_count];
	free(rests[fd].bytes);
	memset(&rests[fd], 0, sizeof rests[fd]);
	begun[fd] = 0;
	close(fd);
}

static void send_to(int poll, int fd, const char *bytes, ssize_t len)
{
	ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);

	if (sent == len)
		return;
	if (sent < 0 && errno != EAGAIN) {
		end(fd);
		return;
	}
	if (sent < 0)
		sent = 0;
	rests[fd].bytes = malloc(len - sent);
	rests[fd].len = len - sent;
	rests[fd].at = 0;
	memcpy(rests[fd].bytes, bytes + sent, len - sent);
	wait_for(poll, fd, EPOLLOUT, EPOLL_CTL_MOD);
}

/* The answers to what was received. */
static void answer(int poll, int fd, size_t got)
{
	const char *at = buffer, *end = buffer + got, *next;
	size_t len = 0;

	for (; (next = memchr(at, '\n', end - at)) != NULL; at = next + 1) {
		if (begun[fd] + (next - at) == 1) {
			memcpy(answers + len, ANSWER, ANSWER_LEN);
			len += ANSWER_LEN;
		}
		begun[fd] = 0;
	}
	begun[fd] += end - at;
	if (len > 0)
		send_to(poll, fd, answers, len);
}

static void receive(int poll, int fd)
{
	ssize_t got = recv(fd, buffer, sizeof buffer, 0);

	if (got <= 0) {
		if (got == 0 || errno != EAGAIN)
			end(fd);
		return;
	}
	if (is_health) {
		answer(poll, fd, got);
		return;
	}
	if (!is_broadcast) {
		send_to(poll, fd, buffer, got);
		return;
	}
	for (int i = client_count; i-- > 0;)
		send_to(poll, clients[i], buffer, got);
}

static void send_rest(int poll, int fd)
{
	struct rest *rest = &rests[fd];
	ssize_t sent = send(fd, rest->bytes + rest->at, rest->len - rest->at, MSG_NOSIGNAL);

	if (sent < 0) {
		if (errno != EAGAIN)
			end(fd);
		return;
	}
	rest->at += sent;
	if (rest->at == rest->len) {
		free(rest->bytes);
		memset(rest, 0, sizeof *rest);
		wait_for(poll, fd, EPOLLIN, EPOLL_CTL_MOD);
	}
}

/* All who wait are taken in before one of them is heard: a broadcast misses nobody. */
static int take_in(int poll, int listener)
{
	int on = 1, client = accept4(listener, NULL, NULL, SOCK_NONBLOCK);

	if (client < 0)
		return -1;
	if (client >= MAX_FD) {
		close(client);
		return -1;
	}
	setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	wait_for(poll, client, EPOLLIN, EPOLL_CTL_ADD);
	if (is_broadcast)
		clients[client_count++] = client;
	return 0;
}

int main(int argc, char **argv)
{
	static struct epoll_event events[EVENTS];
	int listener, poll = epoll_create1(0);

	is_broadcast = argc == 3 && strcmp(argv[1], "broadcast") == 0;
	is_health = argc == 3 && strcmp(argv[1], "health") == 0;
	if (argc != 3 || (!is_broadcast && !is_health && strcmp(argv[1], "echo") != 0)) {
		fprintf(stderr, "usage: %s echo | broadcast | health unix:PATH | tcp:PORT\n", argv[0]);
		return 2;
	}
	listener = listen_at(argv[2]);
	wait_for(poll, listener, EPOLLIN, EPOLL_CTL_ADD);
	for (;;) {
		int count = epoll_wait(poll, events, EVENTS, -1);

		for (int i = 0; i < count; i++) {
			int fd = events[i].data.fd;

			if (fd == listener) {
				while (take_in(poll, listener) == 0)
					;
			} else if (rests[fd].bytes != NULL) {
				send_rest(poll, fd);
			} else {
				receive(poll, fd);
			}
		}
	}
}
