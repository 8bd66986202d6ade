/* The commands of beyond.c that ask for the server's figures. */

static int is_filled(const unsigned char *bytes, size_t size, unsigned char with)
{
    size_t i;

    for (i = 0; i < size; i++)
        if (bytes[i] != with)
            return 0;
    return 1;
}

static void do_stats(struct peer *self, const char *args)
{
    struct ws_stats it;
    int returned = ws_get_stats(&it, sizeof it);

    (void)self;
    (void)args;
    if (returned != 0) {
        answer("%d", returned);
        return;
    }
    answer("connections=%llu accepted=%llu refused_full=%llu refused_bad=%llu refused_slow=%llu refused_program=%llu "
           "messages_in=%llu messages_out=%llu bytes_in=%llu bytes_out=%llu queued_bytes=%llu dropped_violation=%llu "
           "dropped_queue=%llu dropped_silent=%llu skipped=%llu dropped_memory=%llu held_bytes=%llu requests=%llu",
           it.connections, it.accepted, it.refused_full, it.refused_bad, it.refused_slow, it.refused_program,
           it.messages_in, it.messages_out, it.bytes_in, it.bytes_out, it.queued_bytes, it.dropped_violation,
           it.dropped_queue, it.dropped_silent, it.skipped, it.dropped_memory, it.held_bytes, it.requests);
}

/* What the sizes of an older and of a newer program get, and those that cannot be. */
static void do_sizes(struct peer *self, const char *args)
{
    union {
        struct ws_stats stats;
        unsigned char bytes[sizeof(struct ws_stats) + 64];
    } room;
    int none, nothing, few, older, newer;

    (void)self;
    (void)args;
    none = ws_get_stats(NULL, sizeof room.stats);
    memset(&room, 0xaa, sizeof room);
    nothing = ws_get_stats(&room.stats, 0);
    few = ws_get_stats(&room.stats, sizeof room.stats.connections - 1);
    if (!is_filled(room.bytes, sizeof room, 0xaa))
        journal("fault: what is too small is written to");
    older = ws_get_stats(&room.stats, 2 * sizeof room.stats.connections + 3);
    if (room.stats.accepted == 0 ||
        !is_filled(room.bytes + 2 * sizeof room.stats.connections + 3, sizeof room - 19, 0xaa))
        journal("fault: an older program gets too little, or too much");
    memset(&room, 0xaa, sizeof room);
    newer = ws_get_stats(&room.stats, sizeof room - 1);
    if (room.stats.accepted == 0 || !is_filled(room.bytes + sizeof room.stats, 63, 0) ||
        room.bytes[sizeof room - 1] != 0xaa)
        journal("fault: a newer program gets too little, or too much");
    answer("%d %d %d %d %d", none, nothing, few, older, newer);
}

static void *stats_on_a_thread(void *argument)
{
    struct ws_stats it;

    (void)argument;
    answer("%d", ws_get_stats(&it, sizeof it));
    return NULL;
}

static void do_stats_thread(struct peer *self, const char *args)
{
    pthread_t thread;

    (void)self;
    (void)args;
    if (pthread_create(&thread, NULL, stats_on_a_thread, NULL) != 0 || pthread_join(thread, NULL) != 0)
        journal("fault: no thread");
}
