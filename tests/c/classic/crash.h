/* The ways in which a program can crash, and what it may have done about it (CONTRACT E6). */
#ifndef CRASH_H
#define CRASH_H

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include "../journal.h"

static void *volatile nowhere;
static int volatile deepest = 1 << 30;

static void write_nowhere(void)
{
    *(volatile int *)nowhere = 1;
}

static void *write_nowhere_there(void *unused)
{
    (void)unused;
    write_nowhere();
    return NULL;
}

/* Each call takes a page of the stack, and does something behind the next, so that it is no tail call. */
static int overflow(int level)
{
    volatile char page[4096];

    page[0] = (char)level;
    if (level == deepest)
        return 0;
    return overflow(level + 1) + page[0];
}

/* A mapping of a file that has become shorter: the memory is there, and the file is not. */
static void write_behind_the_file(void)
{
    FILE *file = tmpfile();
    char *page = NULL;

    if (file != NULL && fcntl(fileno(file), F_SETFD, FD_CLOEXEC) == 0 && ftruncate(fileno(file), 4096) == 0)
        page = (char *)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
    if (page == NULL || page == (char *)MAP_FAILED || ftruncate(fileno(file), 0) != 0)
        journal("fault: no mapping");
    else
        *(volatile char *)page = 1;
}

/* Another thread does it while this one waits. */
static void crash_on_a_thread(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, write_nowhere_there, NULL) == 0)
        pthread_join(thread, NULL);
}

static void crash(const char *way)
{
    journal("crash %s", way);
    if (strcmp(way, "segv") == 0)
        write_nowhere();
    else if (strcmp(way, "bus") == 0)
        write_behind_the_file();
    else if (strcmp(way, "overflow") == 0)
        overflow(0);
    else if (strcmp(way, "thread") == 0)
        crash_on_a_thread();
    else if (strcmp(way, "kill-segv") == 0)
        kill(getpid(), SIGSEGV);
    else if (strcmp(way, "kill-bus") == 0)
        kill(getpid(), SIGBUS);
    else if (strcmp(way, "abort") == 0)
        abort();
    else if (strcmp(way, "told-to-stop") == 0) {
        raise(SIGTERM); /* the library's handler has run when this returns */
        write_nowhere();
    }
    journal("fault: not crashed by %s", way);
}

/* The same in a child: what became of it. */
static const char *crash_in_child(const char *way)
{
    static char text[64];
    pid_t child = fork();
    int status = 0;

    if (child == 0) {
        crash(way);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        return "no child";
    if (WIFSIGNALED(status))
        sprintf(text, "signal %d", WTERMSIG(status));
    else
        sprintf(text, "exit %d", WEXITSTATUS(status));
    return text;
}

static void on_crash(int number)
{
    journal("handled %d", number);
    _exit(77);
}

/* Sets a handler of the program's own. */
static void handle(int number)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = on_crash;
    sigaction(number, &action, NULL);
}

#endif
