/* The calls of tasks.c about descriptors. The first of a task's two is what is watched, the second its other end. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <netinet/in.h>
#ifdef __linux__
#include <sys/epoll.h>
#endif

/* Two datagram sockets of UDP, each of which sends to the other. */
static int open_udp(int fd[2])
{
    struct sockaddr_in address[2];
    socklen_t length = sizeof *address;
    int i;

    for (i = 0; i < 2; i++) {
        memset(&address[i], 0, sizeof address[i]);
        address[i].sin_family = AF_INET;
        address[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        fd[i] = socket(AF_INET, SOCK_DGRAM, 0);
        if (bind(fd[i], (struct sockaddr *)&address[i], length) != 0 ||
            getsockname(fd[i], (struct sockaddr *)&address[i], &length) != 0)
            return -1;
    }
    return connect(fd[0], (struct sockaddr *)&address[1], length) | connect(fd[1], (struct sockaddr *)&address[0], length);
}

static int open_pty(int fd[2])
{
    fd[0] = posix_openpt(O_RDWR | O_NOCTTY);
    if (fd[0] < 0 || grantpt(fd[0]) != 0 || unlockpt(fd[0]) != 0)
        return -1;
    fd[1] = open(ptsname(fd[0]), O_RDWR | O_NOCTTY);
    return fd[1];
}

/* An epoll descriptor that has another task's in it. */
static int open_epoll(int fd[2], const char *name)
{
#ifdef __linux__
    struct epoll_event event;

    memset(&event, 0, sizeof event);
    event.events = EPOLLIN;
    fd[0] = epoll_create1(0);
    return epoll_ctl(fd[0], EPOLL_CTL_ADD, task(name)->fd[0], &event);
#else
    (void)fd;
    (void)name;
    return -1;
#endif
}

/* "open KIND NAME [OTHER]" */
static void do_open(const char *args)
{
    struct task *it = task(behind(args));
    int opened = -1;

    if (strncmp(args, "pipe ", 5) == 0)
        opened = pipe(it->fd);
    else if (strncmp(args, "writer ", 7) == 0) { /* a pipe of which the writing end is watched */
        int fd[2];

        opened = pipe(fd);
        it->fd[0] = fd[1];
        it->fd[1] = fd[0];
    } else if (strncmp(args, "pair ", 5) == 0)
        opened = socketpair(AF_UNIX, SOCK_STREAM, 0, it->fd);
    else if (strncmp(args, "udp ", 4) == 0)
        opened = open_udp(it->fd);
    else if (strncmp(args, "pty ", 4) == 0)
        opened = open_pty(it->fd);
    else if (strncmp(args, "epoll ", 6) == 0)
        opened = open_epoll(it->fd, behind(behind(args)));
    else if (strncmp(args, "file ", 5) == 0)
        opened = it->fd[0] = open("/etc/passwd", O_RDONLY);
    else if (strncmp(args, "null ", 5) == 0)
        opened = it->fd[0] = open("/dev/null", O_RDWR);
    else if (strncmp(args, "directory ", 10) == 0)
        opened = it->fd[0] = open("/", O_RDONLY | O_DIRECTORY);
    if (opened < 0)
        journal("fault: open %s: %s", args, strerror(errno));
    answer("%d %d", it->fd[0], it->fd[1]);
}

/* "watch NAME EVENTS" */
static void do_watch(const char *args)
{
    struct task *it = task(args);
    int events = atoi(behind(args));

    answer("%d", ws_watch(it->fd[0], events, events == 0 ? NULL : on_ready, it));
}

static void do_watchnull(const char *args)
{
    answer("%d", ws_watch(task(args)->fd[0], atoi(behind(args)), NULL, NULL));
}

/* "watchfd NUMBER EVENTS" */
static void do_watchfd(const char *args)
{
    answer("%d", ws_watch(atoi(args), atoi(behind(args)), on_ready, task("nobody")));
}

/* One byte to the other end. */
static void do_put(const char *args)
{
    answer("%ld", (long)write(task(args)->fd[1], "x\n", 2));
}

/* What there is on it, without waiting. */
static void do_get(const char *args)
{
    char bytes[4096];
    struct task *it = task(args);
    long count, all = 0;

    fcntl(it->fd[0], F_SETFL, O_NONBLOCK);
    while ((count = (long)read(it->fd[0], bytes, sizeof bytes)) > 0)
        all += count;
    answer("%ld", all);
}

/* Leaves no room there. */
static void do_fill(const char *args)
{
    static char bytes[4096];
    int fd = task(args)->fd[0];

    fcntl(fd, F_SETFL, O_NONBLOCK);
    while (write(fd, bytes, sizeof bytes) > 0)
        ;
    answer("%s", strerror(errno));
}

/* Closes the other end. */
static void do_hangup(const char *args)
{
    answer("%d", close(task(args)->fd[1]));
    task(args)->fd[1] = -1;
}

/* Ends one way of the other end. */
static void do_half(const char *args)
{
    answer("%d", shutdown(task(args)->fd[1], SHUT_WR));
}

/* Closes it, and says nothing to the library. */
static void do_shut(const char *args)
{
    answer("%d", close(task(args)->fd[0]));
}

/* Another number for what it is. */
static void do_dup(const char *args)
{
    answer("%d", dup(task(args)->fd[0]));
}

static void do_fd(const char *args)
{
    answer("%d %d", task(args)->fd[0], task(args)->fd[1]);
}

/* Tries each number: those that could be watched, and those that could not be watched no more. */
static void do_walk(const char *args)
{
    char watched[512] = "", refused[512] = "";
    int fd;

    (void)args;
    for (fd = 0; fd < 1024; fd++) {
        if (ws_watch(fd, 0, NULL, NULL) != 0 && strlen(refused) < sizeof refused - 8)
            sprintf(refused + strlen(refused), " %d", fd);
        if (ws_watch(fd, WS_READ | WS_WRITE, on_ready, task("nobody")) == 0 && strlen(watched) < sizeof watched - 8)
            sprintf(watched + strlen(watched), " %d", fd);
        ws_watch(fd, 0, NULL, NULL);
    }
    answer("watched:%s refused:%s", watched, refused);
}
