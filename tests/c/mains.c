/* ws_main() in a program that handles signals itself: while the server runs, those that end it are the server's, and
 * afterwards all are as before. */
#define _POSIX_C_SOURCE 200809L
#include <dorrit.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(what) ((what) ? (void)0 : fail(#what, __LINE__))

enum { ROUNDS = 3 };

static volatile sig_atomic_t handled;
static int number, exits;

static void fail(const char *what, int line)
{
    printf("line %d: %s\n", line, what);
    exit(1);
}

static void handler(int signal)
{
    (void)signal;
    handled++;
}

static void send(void *data)
{
    (void)data;
    CHECK(raise(number) == 0);
}

void ws_init_func(void)
{
}

int ws_start_callback(void)
{
    return ws_post(send, NULL);
}

void ws_exit_func(void)
{
    exits++;
}

int ws_open_callback(void *conn, char *cookie)
{
    (void)conn;
    (void)cookie;
    return 0;
}

void ws_read_callback(void *conn, int binary, int len, unsigned char *buffer)
{
    (void)conn;
    (void)binary;
    (void)len;
    (void)buffer;
}

void ws_close_callback(void *conn)
{
    (void)conn;
}

int main(int argc, char **argv)
{
    static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGPIPE, SIGCHLD };
    struct sigaction before[sizeof signals / sizeof *signals], now;
    sigset_t mask, blocked;
    int i, round;

    for (round = 0; round < ROUNDS; round++) {
        /* Handled, ignored, and left alone in turn. */
        for (i = 0; i < (int)(sizeof signals / sizeof *signals); i++) {
            memset(&before[i], 0, sizeof before[i]);
            before[i].sa_handler = (i + round) % 3 == 0 ? handler : (i + round) % 3 == 1 ? SIG_IGN : SIG_DFL;
            before[i].sa_flags = SA_RESTART;
            sigemptyset(&before[i].sa_mask);
            CHECK(sigaction(signals[i], &before[i], NULL) == 0);
        }
        CHECK(sigprocmask(SIG_SETMASK, NULL, &mask) == 0);
        for (i = 0; i < 2; i++) {
            number = signals[i];
            handled = 0;
            CHECK(ws_main(argc, argv) == 0);
            CHECK(handled == 0);
        }
        CHECK(exits == 2 * (round + 1));
        for (i = 0; i < (int)(sizeof signals / sizeof *signals); i++) {
            CHECK(sigaction(signals[i], NULL, &now) == 0);
            CHECK(now.sa_handler == before[i].sa_handler);
        }
        CHECK(sigprocmask(SIG_SETMASK, NULL, &blocked) == 0);
        for (i = 1; i < 32; i++)
            CHECK(sigismember(&mask, i) == sigismember(&blocked, i));
        if (before[0].sa_handler == handler) {
            raise(SIGTERM);
            CHECK(handled == 1);
        }
    }
    return 0;
}
