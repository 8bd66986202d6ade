/*
 * udp.c: a bridge between UDP and WebSockets.
 *
 *     cc -o udp udp.c $(pkg-config --cflags --libs dorrit)
 *     ./udp -x -p 8080 -- 9000
 *
 * Each datagram that comes to 127.0.0.1, port 9000, goes to all clients, as a
 * binary message.  What a client sends goes back as a datagram to whoever sent
 * the last one.  What follows "--" is
 *
 *     PORT [ADDRESS [PEER-PORT PEER-ADDRESS]]
 *
 * Where a peer is given, what clients send goes there, and nowhere else.  Anybody
 * who reaches PORT can send to the clients, and UDP knows no login: think before
 * ADDRESS is another one than 127.0.0.1.
 *
 * It shows how a socket of the program's own is served: ws_start_callback(),
 * which makes it, and ws_watch(), which tells when there is something to read.
 */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE		/* glibc: SO_REUSEPORT, also under -std=c99 */
#endif
#include <dorrit.h>

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <syslog.h>
#include <unistd.h>

enum {
	DATAGRAM_MAX_BYTES = 65535,
	AT_ONCE = 64,			/* datagrams in one call: then it is the clients' turn */
	QUEUE_MAX_BYTES = 1 << 20	/* waiting for one client: past that it misses some */
};

static int udp = -1;			/* our socket */
static struct sockaddr_storage peer;	/* where goes what clients send */
static socklen_t peer_len;		/* 0: nobody is known yet */
static int is_peer_given;

static void **clients;	/* the handles of all who are here, ready for ws_send() */
static int count;	/* how many they are */
static int room;	/* how many there is room for */

/* Called as long as there is something to read.  It reads no more than AT_ONCE datagrams: a sender
   who never pauses must not keep everybody else waiting. */
static void receive(int fd, int events, void *data)
{
	static unsigned char datagram[DATAGRAM_MAX_BYTES];
	struct sockaddr_storage from;
	socklen_t from_len;
	ssize_t len;
	int i;

	(void)events;
	(void)data;

	for (i = 0; i < AT_ONCE; i++) {
		from_len = sizeof from;
		len = recvfrom(fd, datagram, sizeof datagram, MSG_DONTWAIT,
		    (struct sockaddr *)&from, &from_len);
		if (len < 0)
			return;		/* there is no other; after an error we are called again */
		if (!is_peer_given) {
			peer = from;
			peer_len = from_len;
		}
		/* One call, however many there are.  To a client that does not read fast enough it is lost. */
		ws_send(clients, count, 1, datagram, (size_t)len);
	}
}

/* Finds an address.  It is to be freed with freeaddrinfo(); NULL, and a line, where there is none. */
static struct addrinfo *look_up(const char *port, const char *address)
{
	struct addrinfo hints, *found;
	int error;

	memset(&hints, 0, sizeof hints);
	hints.ai_socktype = SOCK_DGRAM;
	error = getaddrinfo(address, port, &hints, &found);
	if (error == 0)
		return found;
	fprintf(stderr, "udp: %s, port %s: %s\n", address, port, gai_strerror(error));
	return NULL;
}

/* Makes the socket and binds it.  Returns -1, with errno, where that cannot be. */
static int bind_to(const struct addrinfo *where)
{
	int fd = socket(where->ai_family, where->ai_socktype, where->ai_protocol), yes = 1;

	if (fd == -1)
		return -1;

	/* On SIGHUP a new server starts while the old one still has the port, and both have it until
	   the old one's clients have left: hence SO_REUSEPORT.  Meanwhile each datagram comes to one of
	   the two.  The new one must not inherit the old one's socket: hence FD_CLOEXEC. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes) == 0 &&
	    fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && bind(fd, where->ai_addr, where->ai_addrlen) == 0)
		return fd;
	close(fd);
	return -1;
}

void ws_init_func(void)
{
	int given = 0;

	ws_set_name("udp");
	ws_set_queue_limit(QUEUE_MAX_BYTES, WS_QUEUE_SKIP);
	while (ws_arguments[given])
		given++;
	if (given < 1 || given > 4 || given == 3) {
		fprintf(stderr, "udp: after -- comes: PORT [ADDRESS [PEER-PORT PEER-ADDRESS]]\n");
		exit(1);
	}
	is_peer_given = given == 4;
}

/* Once, in the process that will serve: what is opened earlier would stay behind in a daemon's parent.
   Whoever sees that the server is ready can send. */
int ws_start_callback(void)
{
	const char *address = ws_arguments[1] ? ws_arguments[1] : "127.0.0.1";
	struct addrinfo *found;

	if (is_peer_given) {
		found = look_up(ws_arguments[2], ws_arguments[3]);
		if (!found)
			return -1;	/* the server does not start */
		peer_len = found->ai_addrlen;
		memcpy(&peer, found->ai_addr, peer_len);
		freeaddrinfo(found);
	}

	found = look_up(ws_arguments[0], address);
	if (!found)
		return -1;
	udp = bind_to(found);
	if (udp == -1)
		fprintf(stderr, "udp: %s, port %s: %s\n", address, ws_arguments[0], strerror(errno));
	freeaddrinfo(found);
	return ws_watch(udp, WS_READ, receive, NULL);	/* -1 for a descriptor that is none */
}

int ws_open_callback(void *conn, char *cookie)
{
	(void)cookie;

	if (count == room) {
		int more = room ? room * 2 : 64;
		void **grown = (void **)realloc(clients, (size_t)more * sizeof *grown);

		if (!grown)
			return -1;
		clients = grown;
		room = more;
	}
	ws_set_data(conn, (void *)(intptr_t)count);
	clients[count++] = conn;
	return 0;
}

/* One message is one datagram.  Where there is no room for it, it is lost, as datagrams may be. */
void ws_read_callback(void *conn, int binary, int len, unsigned char *buffer)
{
	(void)conn;
	(void)binary;

	if (peer_len > 0 && sendto(udp, buffer, (size_t)len, MSG_DONTWAIT,
	    (struct sockaddr *)&peer, peer_len) == -1)
		syslog(LOG_DEBUG, "a datagram of %d bytes was not sent: %s", len, strerror(errno));
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
	close(udp);
	free(clients);
}
