/*
 * terminal.c: a shell in the browser.  Its page is terminal/index.html.
 *
 *     cc -o terminal terminal.c $(pkg-config --cflags --libs dorrit)
 *     ./terminal -x -p 8080 -w terminal
 *     ./terminal -x -p 8080 -w terminal -- top -d 1
 *
 * Each client has a terminal of its own, in which the command behind "--" runs;
 * without one it is $SHELL.  A text message is what was typed.  A binary one is
 * the window's size: columns and rows, each in two bytes, the higher one first.
 * What the command prints comes back as binary messages, since a character may be
 * cut in two.
 *
 * WHOEVER CAN CONNECT HAS A SHELL.  The port is on 127.0.0.1, and pages of other
 * sites are refused; that leaves all who use this machine.  For any other use let
 * a web server ask for a password before this one (proxies/), with this one on a
 * UNIX socket: -l instead of -p, and --origin for where the page is.
 *
 * It shows how a program has descriptors of its own served, and lets nobody wait
 * for anybody: a client who does not read has its command wait, a command that
 * does not read has its client's typing kept, and both bounded.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE		/* glibc: posix_openpt(3) and TIOCSCTTY, also under -std=c99 */
#endif
#include <dorrit.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum {
	CHUNK_BYTES = 16 << 10,		/* of output in one message */
	OUTPUT_MAX_BYTES = 128 << 10,	/* waiting for the client: past that the command waits */
	INPUT_MAX_BYTES = 256 << 10	/* waiting for the command: past that typing is lost */
};

struct terminal {
	void *conn;		/* whose it is */
	int fd;			/* our end of it */
	pid_t child;		/* at the other end; 0: it has ended */
	int is_client_slow;	/* nothing is read from the command meanwhile */
	char *input;		/* what was typed, and not taken yet; NULL: nothing */
	size_t input_len;
	struct terminal *next;
};

static struct terminal *terminals;
static int ended[2] = { -1, -1 };	/* a pipe: a byte is in it when a child has ended */

static void serve(int fd, int events, void *data);

/* Asks for what matters now.  Where it is nothing, not even a hang-up is told: it would be told for ever. */
static void await(struct terminal *it)
{
	int events = (it->is_client_slow ? 0 : WS_READ) | (it->input ? WS_WRITE : 0);

	if (ws_watch(it->fd, events, serve, it) != 0)
		ws_close_conn(it->conn, 1);
}

/* Nothing more comes: the client reads what is queued, and is told. */
static void finish(struct terminal *it)
{
	ws_watch(it->fd, 0, NULL, NULL);
	ws_close_conn(it->conn, 0);
}

/* Sends what the command has printed.  One chunk, and then it is another client's turn; but all that is left
   of a command that has ended, since somebody in the background may keep the terminal open, in silence. */
static void take_output(struct terminal *it)
{
	char chunk[CHUNK_BYTES];
	ssize_t len;

	do {
		len = read(it->fd, chunk, sizeof chunk);
		if (len == -1 && errno == EINTR)
			continue;
		if (len == -1 && errno == EAGAIN && it->child != 0) {
			await(it);
			return;
		}
		if (len <= 0) {
			finish(it);	/* nobody has the other end, which is an error (EIO) on Linux */
			return;
		}
		if (ws_send(&it->conn, 1, 1, chunk, (size_t)len) != 1) {
			finish(it);	/* no memory: better no terminal than one with gaps */
			return;
		}
		/* Having been told that something is queued, we are told when it no longer is. */
		it->is_client_slow = ws_get_qbytes(it->conn) > OUTPUT_MAX_BYTES;
	} while (it->child == 0 && !it->is_client_slow);
	await(it);
}

/* Gives the command what was typed, as much as it has room for. */
static void give_input(struct terminal *it)
{
	ssize_t len = write(it->fd, it->input, it->input_len);

	if (len == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (len > 0 && (size_t)len < it->input_len) {
		it->input_len -= (size_t)len;
		memmove(it->input, it->input + len, it->input_len);
		return;
	}
	free(it->input);	/* all is written, or nobody will read it */
	it->input = NULL;
	it->input_len = 0;
}

static void serve(int fd, int events, void *data)
{
	struct terminal *it = (struct terminal *)data;

	(void)fd;

	if ((events & WS_WRITE) && it->input)
		give_input(it);
	if ((events & WS_READ) && !it->is_client_slow)
		take_output(it);
	else
		await(it);
}

/* A signal handler may call next to nothing, but may write into a pipe.  One that is full says enough. */
static void note_end(int signal)
{
	int error = errno;
	ssize_t written = write(ended[1], "", 1);

	(void)signal;
	(void)written;
	errno = error;
}

/* Some children have ended: their statuses are taken, or they would stay as zombies.  It is a child's end
   that ends a terminal: what it has started may keep the other end open for long. */
static void reap(int fd, int events, void *data)
{
	struct terminal *it;
	char bytes[64];
	pid_t child;

	(void)events;
	(void)data;

	while (read(fd, bytes, sizeof bytes) > 0)
		;
	while ((child = waitpid(-1, NULL, WNOHANG)) > 0)
		for (it = terminals; it; it = it->next)
			if (it->child == child) {
				it->child = 0;
				if (!it->is_client_slow)
					take_output(it);
				break;
			}
}

/* In the child: becomes the command.  What is ignored would be so for the command too: the library ignores
   SIGPIPE, and a shell without job control lets what it starts with "&" ignore SIGINT. */
static void run(int tty)
{
	static const int defaults[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE };
	static char name[] = "/bin/sh";
	char *shell[] = { getenv("SHELL"), NULL }, **command = ws_arguments[0] ? ws_arguments : shell;
	sigset_t none;
	size_t i;

	if (!command[0] || !command[0][0])
		command[0] = name;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (i = 0; i < sizeof defaults / sizeof *defaults; i++)
		signal(defaults[i], SIG_DFL);
	setsid();		/* a terminal belongs to a session */
	if (ioctl(tty, TIOCSCTTY, 0) == 0 && dup2(tty, 0) == 0 && dup2(tty, 1) == 1 && dup2(tty, 2) == 2)
		execvp(command[0], command);
	perror(command[0]);	/* the client reads it */
	_exit(127);
}

static int set_up(int fd)
{
	return fcntl(fd, F_SETFD, FD_CLOEXEC) | fcntl(fd, F_SETFL, O_NONBLOCK);
}

/* Opens both ends of a terminal, and runs the command at the other one.  -1, with nothing left, where that
   cannot be. */
static int start(struct terminal *it)
{
	struct winsize size = { 24, 80, 0, 0 };
	const char *name;
	int tty = -1;

	it->fd = posix_openpt(O_RDWR | O_NOCTTY);
	if (it->fd == -1)
		return -1;
	if (set_up(it->fd) == 0 && grantpt(it->fd) == 0 && unlockpt(it->fd) == 0 &&
	    (name = ptsname(it->fd)) != NULL)
		tty = open(name, O_RDWR | O_NOCTTY);
	it->child = -1;
	if (tty != -1 && fcntl(tty, F_SETFD, FD_CLOEXEC) == 0 && ioctl(tty, TIOCSWINSZ, &size) == 0)
		it->child = fork();
	if (it->child == 0)
		run(tty);
	if (tty != -1)
		close(tty);
	if (it->child != -1)
		return 0;
	close(it->fd);
	return -1;
}

void ws_init_func(void)
{
	ws_set_name("terminal");
	/* Pages on another port need --origin.  The word "same" would not do: a stranger's host name may
	   lead to 127.0.0.1. */
	ws_set_origins("http://127.0.0.1:8080, http://localhost:8080");
	setenv("TERM", "dumb", 1);	/* the page knows little more than that */
}

/* Here, in the process that serves: children of the one that leaves a daemon behind would not be ours. */
int ws_start_callback(void)
{
	struct sigaction action;

	if (pipe(ended) == -1 || set_up(ended[0]) != 0 || set_up(ended[1]) != 0)
		return -1;
	memset(&action, 0, sizeof action);
	action.sa_handler = note_end;
	action.sa_flags = SA_RESTART | SA_NOCLDSTOP;
	return sigaction(SIGCHLD, &action, NULL) | ws_watch(ended[0], WS_READ, reap, NULL);
}

int ws_open_callback(void *conn, char *cookie)
{
	struct terminal *it = (struct terminal *)calloc(1, sizeof *it);

	(void)cookie;

	if (!it || start(it) != 0) {
		free(it);
		ws_set_status(conn, 503);
		return -1;
	}
	it->conn = conn;
	it->next = terminals;
	terminals = it;
	ws_set_data(conn, it);
	await(it);
	return 0;
}

/* Keeps what was typed until the command takes it.  Where too much waits it is lost, and the client's
   terminal rings, as any terminal does then. */
static void type(struct terminal *it, const unsigned char *bytes, size_t len)
{
	char *longer = NULL;

	if (len == 0)
		return;
	if (len <= INPUT_MAX_BYTES - it->input_len)
		longer = (char *)realloc(it->input, it->input_len + len);
	if (!longer) {
		if (ws_get_qbytes(it->conn) == 0)	/* once is enough for who does not listen */
			ws_send(&it->conn, 1, 1, "\a", 1);
		return;
	}
	memcpy(longer + it->input_len, bytes, len);
	it->input = longer;
	it->input_len += len;
	give_input(it);
	await(it);
}

void ws_read_callback(void *conn, int binary, int len, unsigned char *buffer)
{
	struct terminal *it = (struct terminal *)ws_get_data(conn);
	struct winsize size;

	if (!binary) {
		type(it, buffer, (size_t)len);
	} else if (len == 4) {
		memset(&size, 0, sizeof size);
		size.ws_col = (unsigned short)(buffer[0] << 8 | buffer[1]);
		size.ws_row = (unsigned short)(buffer[2] << 8 | buffer[3]);
		ioctl(it->fd, TIOCSWINSZ, &size);	/* the command gets a SIGWINCH */
	}
}

/* The client has read everything: the command may go on. */
void ws_drain_callback(void *conn)
{
	struct terminal *it = (struct terminal *)ws_get_data(conn);

	if (!it->is_client_slow)
		return;
	it->is_client_slow = 0;
	if (it->child == 0)
		take_output(it);
	else
		await(it);
}

/* With our end closed the other one hangs up: the command gets a SIGHUP, and is reaped when it ends. */
void ws_close_callback(void *conn)
{
	struct terminal *it = (struct terminal *)ws_get_data(conn), **link = &terminals;

	while (*link != it)
		link = &(*link)->next;
	*link = it->next;
	close(it->fd);		/* which ends its watch, too */
	free(it->input);
	free(it);
}

void ws_exit_func(void)
{
	signal(SIGCHLD, SIG_DFL);
	close(ended[0]);
	close(ended[1]);
}
