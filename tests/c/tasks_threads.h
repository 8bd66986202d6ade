/* The calls of tasks.c that start threads and children. */
#include <pthread.h>
#include <sys/wait.h>

enum { MOST_THREADS = 16 };

static pthread_t threads[MOST_THREADS];
static unsigned int posts_each, received[MOST_THREADS], received_in_all;

/* A post of a thread's: which one, and the how manieth of it. */
static void on_numbered(void *data)
{
    size_t number = (size_t)data, thread = number >> 32, turn = number & 0xffffffffu;

    callback_begins("a numbered post");
    if (received[thread]++ != turn)
        journal("fault: post %lu of thread %lu is the %uth", (unsigned long)turn, (unsigned long)thread, received[thread]);
    received_in_all++;
    callback_ends();
}

static void *post_all(void *data)
{
    size_t turn;

    for (turn = 0; turn < posts_each; turn++)
        if (ws_post(on_numbered, (void *)((size_t)data << 32 | turn)) != 0)
            abort();
    return NULL;
}

/* "threads COUNT POSTS": so many threads, each of which posts so many times. */
static void do_threads(const char *args)
{
    int i;

    posts_each = (unsigned int)atoi(behind(args));
    memset(received, 0, sizeof received);
    received_in_all = 0;
    for (i = 0; i < atoi(args); i++)
        if (pthread_create(&threads[i], NULL, post_all, (void *)(size_t)i) != 0)
            abort();
        else
            pthread_detach(threads[i]);
    answer("started");
}

/* How many of them were received. */
static void do_posted(const char *args)
{
    (void)args;
    answer("%u", received_in_all);
}

/* "burst COUNT": a thread posts while the server's is held up here. */
static void do_burst(const char *args)
{
    pthread_t thread;

    posts_each = (unsigned int)atoi(args);
    received[0] = received_in_all = 0;
    if (pthread_create(&thread, NULL, post_all, NULL) != 0 || pthread_join(thread, NULL) != 0)
        abort();
    answer("posted");
}

struct gate {
    char path[256];
    struct task *task;
};

static void *wait_at_gate(void *data)
{
    struct gate *gate = (struct gate *)data;
    int fd = open(gate->path, O_RDONLY);

    if (fd >= 0)
        close(fd);
    if (ws_post(on_task, gate->task) != 0)
        abort();
    return NULL;
}

/* "gate NAME PATH": a thread posts the task when somebody opens the FIFO. */
static void do_gate(const char *args)
{
    static struct gate gate;
    pthread_t thread;

    gate.task = task(args);
    snprintf(gate.path, sizeof gate.path, "%s", behind(args));
    if (pthread_create(&thread, NULL, wait_at_gate, &gate) != 0)
        abort();
    pthread_detach(thread);
    answer("waits");
}

/* "wait PATH": does not return until somebody opens the FIFO. */
static void do_wait(const char *args)
{
    int fd;

    journal("waiting");
    fd = open(args, O_RDONLY);
    if (fd >= 0)
        close(fd);
}

/* Each function, but for those that begin a server, and those that stop one. */
static void call_all(char *text, size_t size)
{
    struct task *it = task("everything");
    void *set = ws_after(0, on_task, it);
    int posted = ws_post(on_task, it), watched = ws_watch(it->fd[0], WS_WRITE, on_ready, it);
    int ended = ws_watch(it->fd[0], 0, NULL, NULL), stepped = ws_step(0), timeout = ws_get_timeout();
    int replaced = ws_set_callbacks(NULL, 0), option = ws_set_option("max-message", "65536");

    ws_cancel(task("timer")->timer);
    snprintf(text, size, "post=%d watch=%d end=%d after=%s step=%d fd=%s timeout=%d callbacks=%d option=%d", posted,
             watched, ended, set == NULL ? "null" : "set", stepped, ws_get_fd() >= 0 ? "some" : "-1", timeout, replaced,
             option);
    ws_cancel(set);
}

/* "all" */
static void do_all(const char *args)
{
    (void)args;
    call_all(result, sizeof result);
}

/* The same where there is a server already. */
static void call_all_and_begin(char *text, size_t size)
{
    static char name[] = "another", listen[] = "-l", path[] = "another.socket", stay[] = "-x";
    char *arguments[] = {name, listen, path, stay, NULL};
    int main_status, begun;

    call_all(text, size);
    main_status = ws_main(4, arguments);
    begun = ws_begin(4, arguments);
    snprintf(text + strlen(text), size - strlen(text), " main=%d begin=%d", main_status, begun);
}

static void *on_a_thread(void *data)
{
    (void)data;
    call_all_and_begin(result, sizeof result);
    return NULL;
}

/* "foreign": on another thread than the server's. */
static void do_foreign(const char *args)
{
    pthread_t thread;

    (void)args;
    if (pthread_create(&thread, NULL, on_a_thread, NULL) != 0 || pthread_join(thread, NULL) != 0)
        abort();
}

/* "forked": in a child, which has the server stop, too. */
static void do_forked(const char *args)
{
    long length;
    int fd[2];
    pid_t child;

    (void)args;
    if (pipe(fd) != 0)
        abort();
    child = fork();
    if (child == 0) {
        call_all_and_begin(result, sizeof result);
        ws_stop();
        _exit(write(fd[1], result, strlen(result)) < 0);
    }
    close(fd[1]);
    length = (long)read(fd[0], result, sizeof result - 1);
    result[length < 0 ? 0 : length] = '\0';
    close(fd[0]);
    waitpid(child, NULL, 0);
}
