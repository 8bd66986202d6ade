/* The commands of probe.c that look at the process. Each gets the connection that asks, and answers it. */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>

struct errand {
    struct peer *self;
    int written;
    unsigned int queued;
    void *data;
};

static void *on_a_thread(void *pointer)
{
    struct errand *it = (struct errand *)pointer;
    char name[] = "thread";

    it->written = ws_write_conn(&it->self->conn, 1, 0, 5, pattern);
    it->queued = ws_get_qlen(it->self->conn);
    it->data = ws_get_data(it->self->conn);
    ws_set_data(it->self->conn, NULL);
    ws_set_periodic(NULL, 1);
    ws_set_name(name);
    ws_close_conn(it->self->conn, 1);
    return NULL;
}

/* Calls every function on another thread (CONTRACT S7). */
static void do_thread(struct peer *self, const char *args)
{
    struct errand it = {NULL, 0, 0, NULL};
    pthread_t thread;

    (void)args;
    it.self = self;
    if (pthread_create(&thread, NULL, on_a_thread, &it) != 0 || pthread_join(thread, NULL) != 0)
        journal("fault: no thread");
    reply(self, "write=%d qlen=%u data=%s kept=%s", it.written, it.queued, it.data == NULL ? "null" : "some",
          ws_get_data(self->conn) == self ? "yes" : "no");
}

static void on_signal(int number)
{
    (void)number;
    journal("interrupted write=%d", ws_write_conn(&peers[1].conn, 1, 0, 5, pattern));
}

static void interrupt_on(int number)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    sigaction(number, &action, NULL);
}

/* Takes memory away, then writes a message to itself and to the first connection (CONTRACT D17). */
static void do_oom(struct peer *self, const char *args)
{
    const size_t size = (size_t)256 << 20;
    void *conns[2], *large = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    struct rlimit before, after;
    unsigned long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    int result;

    (void)args;
    if (large == MAP_FAILED || statm == NULL || fscanf(statm, "%lu", &pages) != 1)
        journal("fault: no memory for the test itself");
    if (statm != NULL)
        fclose(statm);
    getrlimit(RLIMIT_AS, &before);
    after = before;
    after.rlim_cur = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + ((rlim_t)64 << 20);
    setrlimit(RLIMIT_AS, &after);
    conns[0] = self->conn;
    conns[1] = peers[1].conn;
    result = ws_write_conn(conns, 2, 1, (unsigned int)size, (unsigned char *)large);
    setrlimit(RLIMIT_AS, &before);
    munmap(large, size);
    reply(self, "%d %u %u", result, ws_get_qlen(conns[0]), ws_get_qlen(conns[1]));
}

static int eaten[1 << 16], eaten_count;

/* Takes every descriptor that is left (CONTRACT S16). */
static void do_eat(struct peer *self, const char *args)
{
    int fd;

    (void)args;
    while (eaten_count < 1 << 16 && (fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        eaten[eaten_count++] = fd;
    reply(self, "%s", errno == EMFILE ? "full" : strerror(errno));
}

static void do_spit(struct peer *self, const char *args)
{
    (void)args;
    while (eaten_count > 0)
        close(eaten[--eaten_count]);
    reply(self, "free");
}

enum { MOST_DESCRIPTORS = 1024 };

static int first_flags[MOST_DESCRIPTORS]; /* -1: was not open */

/* Names the descriptors, but those it has inherited itself, that a program would inherit (CONTRACT S9). */
static void do_leaks(struct peer *self, const char *args)
{
    char list[512] = "";
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *entry;
    int seen = 0;

    (void)args;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        int fd = atoi(entry->d_name), flags;

        if (entry->d_name[0] == '.')
            continue;
        seen++;
        if (fd < MOST_DESCRIPTORS && first_flags[fd] != -1)
            continue;
        flags = fcntl(fd, F_GETFD);
        if (flags >= 0 && !(flags & FD_CLOEXEC) && strlen(list) < sizeof list - 16)
            sprintf(list + strlen(list), " %d", fd);
    }
    if (dir != NULL)
        closedir(dir);
    reply(self, "%s%s", seen > 5 ? "inherited:" : "blind:", list);
}

static struct sigaction first_actions[NSIG];
static sigset_t first_mask;

/* Before the library's main: what each signal does by itself, and which descriptors were there. */
__attribute__((constructor)) static void remember(void)
{
    int number;

    for (number = 0; number < MOST_DESCRIPTORS; number++)
        first_flags[number] = fcntl(number, F_GETFD);
    for (number = 1; number < NSIG; number++)
        sigaction(number, NULL, &first_actions[number]);
    sigprocmask(SIG_BLOCK, NULL, &first_mask);
}

/* Names the signals that the library has touched (CONTRACT S13). */
static void do_signals(struct peer *self, const char *args)
{
    char list[512] = "";
    sigset_t mask;
    int number;

    (void)args;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    for (number = 1; number < NSIG; number++) {
        struct sigaction now;

        if (sigaction(number, NULL, &now) != 0)
            continue;
        if (now.sa_handler != first_actions[number].sa_handler && strlen(list) < sizeof list - 32)
            sprintf(list + strlen(list), " %s", strsignal(number));
        if (sigismember(&mask, number) != sigismember(&first_mask, number) && strlen(list) < sizeof list - 32)
            sprintf(list + strlen(list), " mask:%d", number);
    }
    reply(self, "changed:%s", list);
}

static void do_nofile(struct peer *self, const char *args)
{
    struct rlimit limit;

    (void)args;
    getrlimit(RLIMIT_NOFILE, &limit);
    reply(self, "%lu %lu", (unsigned long)limit.rlim_cur, (unsigned long)limit.rlim_max);
}

/* A system call that nobody else makes, to be found in a trace. */
static void do_mark(struct peer *self, const char *args)
{
    (void)args;
    reply(self, "%s", getpgid(0) >= 0 ? "marked" : "lost");
}

/* What a variable is in the environment of the program, and of what it executes. */
static void do_env(struct peer *self, const char *args)
{
    const char *value = getenv(args);

    reply(self, "%s", value == NULL ? "unset" : value);
}

/* Does not return until somebody writes to the FIFO. */
static void do_hang(struct peer *self, const char *args)
{
    int fd;

    journal("hanging");
    fd = open(args, O_RDONLY);
    if (fd >= 0)
        close(fd);
    reply(self, "%s", fd >= 0 ? "free" : strerror(errno));
}
