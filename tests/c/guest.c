/* A server that is a guest in this program, which has a descriptor passed to it, and is stopped by SIGTERM. */
#define _POSIX_C_SOURCE 200809L
#include <dorrit.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal.h"

void ws_init_func(void)
{
    ws_set_name(getenv("PROBE_NAME"));
}

void ws_exit_func(void)
{
}

int ws_open_callback(void *conn, char *cookie)
{
    (void)conn;
    (void)cookie;
    return 0;
}

void ws_read_callback(void *conn, int binary, int len, unsigned char *buffer)
{
    ws_send(&conn, 1, binary, buffer, (size_t)len);
}

void ws_close_callback(void *conn)
{
    (void)conn;
}

static void on_term(int number)
{
    (void)number;
    ws_stop();
}

/* What a server of its own would change. */
static void look(const char *when)
{
    static struct sigaction action;
    const char *fds = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID"), *notify = getenv("NOTIFY_SOCKET");
    char directory[4096];
    int number;
    unsigned long handled = 0;

    if (getcwd(directory, sizeof directory) == NULL)
        abort();
    for (number = 1; number < 32; number++)
        if (sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_DFL)
            handled |= 1UL << number;
    journal("%s: cwd %s signals %lx fds %s pid %d notify %s descriptor %d user %d session %d", when, directory, handled,
            fds ? fds : "none", pid ? atoi(pid) == getpid() : -1, notify ? notify : "none", fcntl(3, F_GETFD),
            (int)geteuid(), getsid(0) == getpid());
}

int main(int argc, char **argv)
{
    struct sigaction action;
    int status;

    journal_open();
    action.sa_handler = on_term;
    action.sa_flags = 0;
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    look("before");
    status = ws_begin(argc, argv);
    if (status != 0)
        return status;
    look("begun");
    /* The handler interrupts what waits. */
    while (ws_step(-1) == 1)
        ;
    look("ended");
    return 0;
}
