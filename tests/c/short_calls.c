/*
 * Put before the C library by LD_PRELOAD: calls on the sockets of clients do less than was asked for, or fail, as
 * $SHORT_CALLS says, which names one of the faults below. The number of calls that were changed is written to the
 * file $SHORT_CALLS_COUNT at the server's end. Clients' sockets are those that epoll(7) watches. Where the system
 * would tell later that there is more, or room, epoll is asked anew, which tells it at once.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* Every so many calls are changed: `error` is what they fail with, or 0 where they take or give `part`. */
static const struct fault {
    const char *name;
    int is_receiving, every, error;
    enum { ONE, HALF } part;
} faults[] = {
    {"receive-one", 1, 1, 0, ONE},        {"receive-half", 1, 1, 0, HALF},
    {"receive-again", 1, 2, EAGAIN, ONE}, {"receive-interrupted", 1, 2, EINTR, ONE},
    {"send-one", 0, 2, 0, ONE},           {"send-half", 0, 1, 0, HALF},
    {"send-again", 0, 2, EAGAIN, ONE},    {"send-interrupted", 0, 2, EINTR, ONE},
    {"send-no-buffers", 0, 3, ENOBUFS, ONE}, {"send-no-memory", 0, 3, ENOMEM, ONE},
};

enum { DESCRIPTORS = 1024 };

static const struct fault *fault;
static unsigned long calls, changed;
static struct watch {
    int epoll;
    struct epoll_event event;
} watches[DESCRIPTORS];

static void __attribute__((constructor)) begin(void)
{
    const char *name = getenv("SHORT_CALLS");
    size_t i;

    for (i = 0; name != NULL && i < sizeof faults / sizeof *faults; i++)
        if (strcmp(faults[i].name, name) == 0)
            fault = &faults[i];
}

static void __attribute__((destructor)) end(void)
{
    const char *path = getenv("SHORT_CALLS_COUNT");
    FILE *file = path == NULL || changed == 0 ? NULL : fopen(path, "w");

    if (file != NULL) {
        fprintf(file, "%lu\n", changed);
        fclose(file);
    }
}

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    if (fd >= 0 && fd < DESCRIPTORS) {
        watches[fd].epoll = operation == EPOLL_CTL_DEL ? 0 : epoll;
        if (event != NULL)
            watches[fd].event = *event;
    }
    return (int)syscall(SYS_epoll_ctl, epoll, operation, fd, event);
}

/* Whether this call is to be changed. */
static int is_changed(int fd, int is_receiving)
{
    if (fault == NULL || fault->is_receiving != is_receiving || fd < 0 || fd >= DESCRIPTORS)
        return 0;
    if (watches[fd].epoll == 0 || ++calls % (unsigned long)fault->every != 0)
        return 0;
    changed++;
    return 1;
}

/* How much of so many bytes is taken or given. */
static size_t part(size_t length)
{
    return length < 2 || fault->part == ONE ? length > 0 : length / 2;
}

static void ask_anew(int fd)
{
    syscall(SYS_epoll_ctl, watches[fd].epoll, EPOLL_CTL_MOD, fd, &watches[fd].event);
}

/* Fails with the fault's error. */
static ssize_t fail(int fd)
{
    if (fault->error == EAGAIN)
        ask_anew(fd);
    errno = fault->error;
    return -1;
}

/* What has been done to a part leaves the rest for later. */
static ssize_t leave(int fd, ssize_t done)
{
    int error = errno;

    if (done > 0)
        ask_anew(fd);
    errno = error;
    return done;
}

ssize_t recv(int fd, void *buffer, size_t length, int flags)
{
    /* What is there, as far as it matters. */
    char ahead[4096];
    ssize_t there;

    if (!is_changed(fd, 1))
        return syscall(SYS_recvfrom, fd, buffer, length, flags, NULL, NULL);
    if (fault->error != 0)
        return fail(fd);
    there = syscall(SYS_recvfrom, fd, ahead, sizeof ahead < length ? sizeof ahead : length,
                    flags | MSG_PEEK, NULL, NULL);
    if (there <= 0)
        return there;
    return leave(fd, syscall(SYS_recvfrom, fd, buffer, part((size_t)there), flags, NULL, NULL));
}

ssize_t send(int fd, const void *buffer, size_t length, int flags)
{
    if (!is_changed(fd, 0))
        return syscall(SYS_sendto, fd, buffer, length, flags, NULL, 0);
    if (fault->error != 0)
        return fail(fd);
    return leave(fd, syscall(SYS_sendto, fd, buffer, part(length), flags, NULL, 0));
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    struct msghdr shorter = *message;
    struct iovec parts[128];
    size_t i, length = 0, left;

    if (message->msg_iovlen > 128 || !is_changed(fd, 0))
        return syscall(SYS_sendmsg, fd, message, flags);
    if (fault->error != 0)
        return fail(fd);
    for (i = 0; i < (size_t)message->msg_iovlen; i++)
        length += message->msg_iov[i].iov_len;
    left = part(length);
    for (i = 0; left > 0; i++) {
        parts[i] = message->msg_iov[i];
        if (parts[i].iov_len > left)
            parts[i].iov_len = left;
        left -= parts[i].iov_len;
    }
    shorter.msg_iov = parts;
    shorter.msg_iovlen = i;
    return leave(fd, syscall(SYS_sendmsg, fd, &shorter, flags));
}
