/* The commands of probe.c that fork, and what a program sees of children that are not its own. */
#include <sys/wait.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

/* Calls whatever it can, in a child. */
static void call_all(struct peer *self)
{
    char name[] = "child", no_name[] = "";
    int written = ws_write_conn(&self->conn, 1, 0, 5, pattern);

    journal("child write=%d send=%ld qlen=%u qbytes=%lu data=%s protocol=[%s] compression=%d", written,
            ws_send(&self->conn, 1, 0, pattern, 5), ws_get_qlen(self->conn), ws_get_qbytes(self->conn),
            ws_get_data(self->conn) == NULL ? "null" : "some", ws_get_protocol(self->conn), ws_set_compression(1));
    ws_set_name(name);
    ws_set_name(no_name);
    ws_set_periodic(NULL, 0);
    ws_set_data(self->conn, NULL);
    ws_close_conn_code(self->conn, 1, NULL);
    ws_close_conn(self->conn, 0);
    ws_close_conn(self->conn, 1);
}

/* "fork HOW": a child that does not exec. It calls all that it can, it returns from the callback, or, where HOW is a FIFO, it lives
   until somebody writes there. The answer is its exit status, where it ends by itself. */
static void do_fork(struct peer *self, const char *args)
{
    int status = 0, fifo = args[0] == '/';
    pid_t child = fork();

    if (child == 0 && strcmp(args, "return") == 0)
        return;
    if (child == 0) {
        if (fifo)
            _exit(open(args, O_RDONLY) < 0);
        call_all(self);
        _exit(0);
    }
    if (child < 0 || (!fifo && waitpid(child, &status, 0) != child))
        journal("fault: no child");
    reply(self, "%d", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

static void on_child(int number)
{
    (void)number;
    if (write(STDERR_FILENO, "a child's end\n", 14) != 14)
        abort();
}

/* The program wants to hear of children that end, though it has none. */
static void hear_of_children(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = on_child;
    action.sa_flags = SA_RESTART;
    sigaction(SIGCHLD, &action, NULL);
}

/* Waits for all children (CONTRACT S28). */
static void wait_for_children(void)
{
    pid_t child;

    while ((child = wait(NULL)) > 0)
        journal("fault: a child that is not the program's");
    journal("no child: %s", strerror(errno));
}
