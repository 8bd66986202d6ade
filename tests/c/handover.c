/*
 * A server that is handed over. What ws_init_func does at a start stands in the file that $HANDOVER_PLAN names, which
 * the test writes anew: a word in each line, and what it needs (see step). A message that does not begin with '!'
 * comes back as it is; one that does is a command (see obey), and is answered with one text.
 *
 * It is also a program of libdorrit(8), where it is compiled as such (classic/handover.c), and the next version of
 * itself (handover_next.c).
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dorrit.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "answer.h"
#include "journal.h"

#ifndef VERSION
#define VERSION 1
#endif

static void on_signal(int number)
{
    journal("handled %d", number);
}

/* Takes memory and descriptors all the time, as a thread of a program may while the server forks. */
static void *work(void *unused)
{
    for (;;) {
        int fd = open("/dev/null", O_RDONLY);
        char *memory = (char *)malloc(100000);

        if (memory != NULL)
            memory[0] = (char)fd;
        free(memory);
        if (fd >= 0)
            close(fd);
    }
    return unused;
}

static void tick(void)
{
    journal("tick %ld", (long)getpid());
}

/* What ws_start_callback returns; libdorrit(8) does not ask it. */
static int start_answer;

int ws_start_callback(void);

int ws_start_callback(void)
{
    journal("start %ld", (long)getpid());
    return start_answer;
}

static void step(char *word, char *rest)
{
    pthread_t thread;
    sigset_t signals;
    int number;

    if (strcmp(word, "exit") == 0)
        exit(atoi(rest));
    else if (strcmp(word, "abort") == 0)
        abort();
    else if (strcmp(word, "start") == 0)
        start_answer = atoi(rest);
    else if (strcmp(word, "gate") == 0)
        close(open(rest, O_RDONLY | O_CLOEXEC)); /* a FIFO: until somebody opens its other end */
    else if (strcmp(word, "handle") == 0)
        signal(SIGHUP, on_signal);
    else if (strcmp(word, "ignore") == 0)
        signal(SIGHUP, SIG_IGN);
    else if (strcmp(word, "nobodys-child") == 0)
        signal(SIGCHLD, SIG_IGN);
    else if (strcmp(word, "periodic") == 0)
        ws_set_periodic(tick, 1);
    else if (strcmp(word, "name") == 0)
        ws_set_name(rest);
    else if (strcmp(word, "block") == 0) {
        sigemptyset(&signals);
        sigaddset(&signals, SIGHUP);
        sigprocmask(SIG_BLOCK, &signals, NULL);
    } else if (strcmp(word, "threads") == 0) {
        for (number = atoi(rest); number > 0; number--)
            if (pthread_create(&thread, NULL, work, NULL) != 0)
                journal("fault: no thread");
    } else
        journal("fault: no such step: %s", word);
}

static void follow_plan(void)
{
    char line[1024];
    FILE *plan = getenv("HANDOVER_PLAN") ? fopen(getenv("HANDOVER_PLAN"), "re") : NULL;

    while (plan != NULL && fgets(line, sizeof line, plan) != NULL) {
        char *rest = line + strcspn(line, " \n");

        line[strcspn(line, "\n")] = '\0';
        if (*rest == ' ')
            *rest++ = '\0';
        step(line, rest);
    }
    if (plan != NULL)
        fclose(plan);
}

static void obey(void *conn, const char *text)
{
    char directory[512];
    int count;

    if (strcmp(text, "who") == 0)
        answer(conn, "%d %ld", VERSION, (long)getpid());
    else if (strcmp(text, "leak") == 0) {
        for (count = 0; count < 10; count++)
            if (open("/dev/null", O_RDONLY) < 0)
                journal("fault: no descriptor");
        answer(conn, "leaked");
    } else if (strcmp(text, "children") == 0) {
        count = (int)waitpid(-1, NULL, WNOHANG);
        answer(conn, "%s", count == -1 && errno == ECHILD ? "none" : "some");
    } else if (strcmp(text, "where") == 0)
        answer(conn, "%s", getcwd(directory, sizeof directory));
    else if (strcmp(text, "crash") == 0)
        raise(SIGSEGV);
    else
        journal("fault: no such command: %s", text);
}

void ws_init_func(void)
{
    char directory[512];
    sigset_t mask;

    journal_open();
    fchmod(journal_fd, 0666); /* the next start is another user's */
    callback_begins("ws_init_func");
    sigprocmask(SIG_BLOCK, NULL, &mask);
    journal("init %ld version=%d uid=%ld file=%s in=%s hup=%d", (long)getpid(), VERSION, (long)getuid(),
            ws_config_file ? ws_config_file : "(null)", getcwd(directory, sizeof directory),
            sigismember(&mask, SIGHUP));
    if (getenv("PROBE_NAME") != NULL)
        ws_set_name(getenv("PROBE_NAME"));
    follow_plan();
    journal("begun %ld", (long)getpid());
    callback_ends();
}

void ws_exit_func(void)
{
    callback_begins("ws_exit_func");
    journal("exit %ld", (long)getpid());
    callback_ends();
}

void ws_close_callback(void *conn)
{
    callback_begins("ws_close_callback");
    (void)conn;
    journal("close %ld", (long)getpid());
    callback_ends();
}

static void read_message(void *conn, int len, const char *text)
{
    callback_begins("ws_read_callback");
    if (text[0] == '!')
        obey(conn, text + 1);
    else
        answer(conn, "%.*s", len, text);
    callback_ends();
}

#ifdef CLASSIC

int ws_open_callback(void *conn, char *cookie, char *hostname, char *protocol)
{
    (void)conn, (void)cookie, (void)hostname, (void)protocol;
    return 0;
}

void ws_read_callback(void *conn, int len, char *buffer)
{
    read_message(conn, len, buffer);
}

#else

int ws_open_callback(void *conn, char *cookie)
{
    (void)conn, (void)cookie;
    return 0;
}

void ws_read_callback(void *conn, int binary, int len, unsigned char *buffer)
{
    (void)binary;
    read_message(conn, len, (const char *)buffer);
}

#endif
