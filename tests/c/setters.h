/* The commands of beyond.c that call what ws_init_func may call. */

static void do_max_message(struct peer *self, const char *args)
{
    (void)self;
    answer("%d", ws_set_max_message((unsigned int)strtoul(args, NULL, 10)));
}

static void do_compression(struct peer *self, const char *args)
{
    (void)self;
    answer("%d", ws_set_compression(atoi(args)));
}

/* "NULL" is none; the string is changed behind the call: the library must have copied it. */
static void set_list(int (*set)(const char *list), const char *args)
{
    static char list[1024];
    int returned;

    snprintf(list, sizeof list, "%s", args);
    returned = set(strcmp(list, "NULL") == 0 ? NULL : list);
    memset(list, '#', strlen(list));
    answer("%d", returned);
}

static void do_protocols(struct peer *self, const char *args)
{
    (void)self;
    set_list(ws_set_protocols, args);
}

static void do_origins(struct peer *self, const char *args)
{
    (void)self;
    set_list(ws_set_origins, args);
}

static void do_ping(struct peer *self, const char *args)
{
    unsigned int idle = 0, timeout = 0;

    (void)self;
    sscanf(args, "%u %u", &idle, &timeout);
    answer("%d", ws_set_ping(idle, timeout));
}

static void do_limit(struct peer *self, const char *args)
{
    unsigned long bytes = 0;
    int policy = 0;

    (void)self;
    sscanf(args, "%lu %d", &bytes, &policy);
    answer("%d", ws_set_queue_limit(bytes, policy));
}
