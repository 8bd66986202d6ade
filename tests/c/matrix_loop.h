/* The calls of matrix.c for what the loop calls, and the rows of what it calls. */
#include <fcntl.h>

static int quiet_pipe[2], row_pipe[2], posts_taken, posts_ran;

static void run_all(const char *in, const char *on);

/* A row on a connection that is closed, on one that is open, and on none. */
static void run_row(const char *in)
{
    armed_in[0] = '\0';
    run_all(in, "null");
    run_all(in, "closed");
    run_all(in, "other");
}

static void posted(void *data)
{
    (void)data;
    callback_begins("a post");
    posts_ran++;
    callback_ends();
}

static void never(void *data)
{
    (void)data;
    journal("fault: a timer that was cancelled is called");
}

static void never_ready(int fd, int events, void *data)
{
    (void)data;
    journal("fault: descriptor %d is watched no more, and is told of: %d", fd, events);
}

static void post_row(void *data)
{
    callback_begins("a post");
    if (strcmp(armed_call, "all") == 0)
        run_row("post");
    else
        run("post", armed_call, armed_on, data);
    callback_ends();
}

static void timer_row(void *data)
{
    callback_begins("a timer");
    if (strcmp(armed_call, "all") == 0)
        run_row("timer");
    else
        run("timer", armed_call, armed_on, data);
    callback_ends();
}

static void watch_row(int fd, int events, void *data)
{
    callback_begins("a watch");
    (void)events;
    ws_watch(fd, 0, NULL, NULL);
    if (strcmp(armed_call, "all") == 0)
        run_row("watch");
    else
        run("watch", armed_call, armed_on, data);
    callback_ends();
}

void ws_log_callback(int priority, const char *line)
{
    (void)priority;
    (void)line;
    if (strcmp(armed_in, "log") != 0)
        return;
    if (strcmp(armed_call, "all") == 0)
        run_row("log");
    else {
        armed_in[0] = '\0';
        run("log", armed_call, armed_on, NULL);
    }
}

/* A server beside the one that is there: the log is told that this cannot be. */
static int begin_another(int (*begin)(int argc, char **argv))
{
    static char name[] = "another", stay[] = "-x";
    char *arguments[] = {name, stay, NULL};

    return begin(2, arguments);
}

static void loop_begins(void)
{
    if (pipe(quiet_pipe) != 0 || pipe(row_pipe) != 0 || write(row_pipe[1], "x", 1) != 1)
        abort();
}

/* Has the row that is armed run, where it is one that the loop calls. */
static void call_row(void)
{
    if (strcmp(armed_in, "post") == 0)
        ws_post(post_row, NULL);
    else if (strcmp(armed_in, "timer") == 0)
        ws_after(0, timer_row, NULL);
    else if (strcmp(armed_in, "watch") == 0)
        ws_watch(row_pipe[0], WS_READ, watch_row, NULL);
    else if (strcmp(armed_in, "log") == 0)
        begin_another(ws_main);
}

static int do_post(void)
{
    int result = ws_post(posted, NULL);

    posts_taken += result == 0;
    return result;
}

static int do_watch(void)
{
    int result = ws_watch(quiet_pipe[0], WS_READ, never_ready, NULL);

    ws_watch(quiet_pipe[0], 0, NULL, NULL);
    return result;
}

static int run_loop(const char *call, void *conn, char *result)
{
    if (strcmp(call, "post") == 0)
        sprintf(result, "%d", do_post());
    else if (strcmp(call, "watch") == 0)
        sprintf(result, "%d", do_watch());
    else if (strcmp(call, "after") == 0) {
        void *timer = ws_after(0, never, conn);

        strcpy(result, timer == NULL ? "null" : "set");
        ws_cancel(timer);
        ws_cancel(timer);
    } else if (strcmp(call, "cancel") == 0)
        ws_cancel(conn);
    else if (strcmp(call, "step") == 0)
        sprintf(result, "%d", ws_step(-1));
    else if (strcmp(call, "begin") == 0)
        sprintf(result, "%d", begin_another(ws_begin));
    else if (strcmp(call, "main") == 0)
        sprintf(result, "%d", begin_another(ws_main));
    else if (strcmp(call, "fd") == 0)
        strcpy(result, ws_get_fd() >= 0 ? "some" : "-1");
    else if (strcmp(call, "timeout") == 0)
        sprintf(result, "%d", ws_get_timeout());
    else if (strcmp(call, "callbacks") == 0)
        sprintf(result, "%d", ws_set_callbacks(NULL, 0));
    else if (strcmp(call, "option") == 0)
        sprintf(result, "%d", ws_set_option("max-message", "65535"));
    else if (strcmp(call, "stop") == 0)
        ws_stop();
    else
        return 0;
    return 1;
}
