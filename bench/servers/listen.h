/* Where the bare programs listen. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

/* unix:PATH, or tcp:PORT on loopback. */
static int listen_at(const char *address)
{
	if (strncmp(address, "unix:", 5) == 0) {
		struct sockaddr_un sun = { .sun_family = AF_UNIX };
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

		strncpy(sun.sun_path, address + 5, sizeof sun.sun_path - 1);
		if (bind(fd, (struct sockaddr *)&sun, sizeof sun) == 0 && listen(fd, 4096) == 0)
			return fd;
	} else if (strncmp(address, "tcp:", 4) == 0) {
		struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(atoi(address + 4)) };
		int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

		sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
		if (bind(fd, (struct sockaddr *)&sin, sizeof sin) == 0 && listen(fd, 4096) == 0)
			return fd;
	}
	perror(address);
	exit(1);
}
