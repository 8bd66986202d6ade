/* The calls of tasks.c about timers. */

/* "after MILLIS NAME" */
static void do_after(const char *args)
{
    struct task *it = task(behind(args));

    it->timer = ws_after((unsigned int)strtoul(args, NULL, 10), strcmp(it->name, "NULL") == 0 ? NULL : on_task, it);
    answer("%s", it->timer == NULL ? "null" : "set");
}

static void do_cancel(const char *args)
{
    ws_cancel(task(args)->timer);
    answer("cancelled");
}

/* "cancelconn NUMBER": the handle of a connection. */
static void do_cancelconn(const char *args)
{
    ws_cancel(peer(args));
    answer("cancelled");
}

/* Numbers that are no timer's. */
static void do_cancelany(const char *args)
{
    size_t i;

    (void)args;
    ws_cancel(NULL);
    ws_cancel((void *)~(size_t)0);
    ws_cancel(&args);
    for (i = 0; i < sizeof i * 8; i++)
        ws_cancel((void *)((size_t)1 << i));
    answer("cancelled");
}

/* "asconn NAME": a timer's handle where a connection's belongs. */
static void do_asconn(const char *args)
{
    void *timer = task(args)->timer;
    unsigned char text[] = "text";

    ws_set_data(timer, timer);
    ws_close_conn(timer, 1);
    ws_close_conn_code(timer, 1000, NULL);
    answer("write=%d send=%ld data=%s qlen=%u qbytes=%lu code=%d protocol=[%s]", ws_write_conn(&timer, 1, 0, 4, text),
           ws_send(&timer, 1, 0, text, 4), ws_get_data(timer) == NULL ? "null" : "some", ws_get_qlen(timer),
           ws_get_qbytes(timer), ws_get_close_code(timer), ws_get_protocol(timer));
}

enum { MANY = 100000 };
static void *many[MANY];

/* "many FROM TO NAME": sets many timers, for so many milliseconds. */
static void do_many(const char *args)
{
    unsigned int from = (unsigned int)atoi(args), to = (unsigned int)atoi(behind(args));
    int i, failed = 0;

    for (i = 0; i < MANY; i++) {
        many[i] = ws_after(from + (unsigned int)i * 7919u % (to - from), on_task, task(behind(behind(args))));
        failed += many[i] == NULL;
    }
    answer("%d", failed);
}

/* "cancelmany STEP": each so many of them, in an order that is not theirs. */
static void do_cancelmany(const char *args)
{
    int i, step = atoi(args);

    for (i = 0; i < MANY; i++)
        if ((i * 7 % MANY) % step == 0)
            ws_cancel(many[i * 7 % MANY]);
    answer("cancelled");
}
