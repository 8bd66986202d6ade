/* What looks at all connections, and the last word, in a program with a loop of its own: exceptions pass through the
 * library to who has called it, and the server goes on, or ends, as it was about to. Its callbacks are set. Each part says
 * that it has gone well. */
#include "client.h"

#include <functional>
#include <set>
#include <stdexcept>
#include <string>

static int argc;
static char **argv;
static const char *path;
static std::string thrower; /* the function that throws next, once */
static std::set<void *> open_ones, told;
static int words, exits;
static int guest = -1; /* a client that comes by itself, where it is not -1 */
static std::function<void(void *)> on_message;

static void maybe(const char *name)
{
    if (thrower != name)
        return;
    thrower.clear();
    throw std::runtime_error(name);
}

static void on_init(void)
{
}

static void come(void *)
{
    guest = connect_client(path);
    send_text(guest, "stop");
}

static int on_start(void)
{
    if (guest == 0)
        CHECK(ws_post(come, nullptr) == 0);
    return 0;
}

static void on_exit(void)
{
    exits++;
    CHECK(ws_count() == 0);
}

static int on_open(void *conn, char *)
{
    CHECK(ws_is_open(conn) == 0);
    open_ones.insert(conn);
    return 0;
}

static void on_read(void *conn, int binary, int len, unsigned char *buffer)
{
    CHECK(ws_is_open(conn) == 1 && ws_count() == open_ones.size());
    if (on_message)
        on_message(conn);
    ws_send(&conn, 1, binary, buffer, (size_t)len);
}

static void on_close(void *conn)
{
    CHECK(ws_is_open(conn) == 0 && ws_pause(conn) == -1 && ws_resume(conn) == -1 && ws_want_drain(conn) == -1);
    CHECK(open_ones.erase(conn) == 1);
}

static void on_shutdown(void *conn)
{
    CHECK(ws_is_open(conn) == 1);
    words++;
    ws_send(&conn, 1, 0, "goodbye", 7);
    maybe("shutdown");
}

static void look(void *conn, void *data)
{
    CHECK(data == &told);
    told.insert(conn);
    maybe("each");
}

/* Whether that throws what this function was told to throw. */
static bool throws(const char *name, const std::function<void()> &act)
{
    try {
        act();
    } catch (const std::runtime_error &error) {
        CHECK(error.what() == std::string(name));
        return true;
    }
    return false;
}

static void step_until_thrown(const char *name)
{
    for (int i = 0; i < 10000; i++)
        if (throws(name, [] { CHECK(ws_step(1000) == 1); }))
            return;
    CHECK(!"no exception");
}

static void set_callbacks()
{
    struct ws_callbacks callbacks;

    memset(&callbacks, 0, sizeof callbacks);
    callbacks.init = on_init;
    callbacks.exit = on_exit;
    callbacks.start = on_start;
    callbacks.open = on_open;
    callbacks.read = on_read;
    callbacks.close = on_close;
    callbacks.shutdown = on_shutdown;
    CHECK(ws_set_callbacks(&callbacks, sizeof callbacks) == 0);
}

static int open_client()
{
    int client = connect_client(path);

    await_open(client);
    return client;
}

static void end()
{
    int more;

    ws_stop();
    for (int left = 10000; (more = ws_step(1000)) == 1;)
        CHECK(left-- > 0);
    CHECK(more == 0 && open_ones.empty() && access(path, F_OK) != 0);
}

/* Out of ws_each(), to the program, or to who has called ws_step(). */
static void each()
{
    /* Where there is no server. */
    ws_each(look, &told);
    CHECK(told.empty() && ws_count() == 0 && ws_is_open(nullptr) == 0);
    CHECK(ws_pause(nullptr) == -1 && ws_resume(nullptr) == -1 && ws_want_drain(nullptr) == -1);
    CHECK(ws_begin(argc, argv) == 0);
    ws_each(look, &told);
    CHECK(told.empty());
    int clients[] = { open_client(), open_client(), open_client() };

    /* Between two steps, as from a callback. */
    ws_each(look, &told);
    CHECK(told == open_ones && ws_count() == 3);
    told.clear();
    thrower = "each";
    CHECK(throws("each", [] { ws_each(look, &told); }) && told.size() == 1);
    ws_each(look, &told);
    CHECK(told == open_ones);

    on_message = [](void *) { ws_each(look, &told); };
    thrower = "each";
    send_text(clients[0], "first");
    send_text(clients[0], "second");
    step_until_thrown("each");
    await_text(clients[0], "second");
    on_message = nullptr;

    /* Held back between two steps, and going on. */
    void *conn = *open_ones.begin();
    for (void *it : open_ones)
        CHECK(ws_pause(it) == 0);
    send_text(clients[1], "waits");
    for (int i = 0; i < 10; i++)
        CHECK(ws_step(0) == 1);
    for (void *it : open_ones)
        CHECK(ws_resume(it) == 0);
    CHECK(ws_get_timeout() == 0);
    await_text(clients[1], "waits");

    /* Nobody is missed who is left when one ends another from within. */
    ws_each([](void *it, void *first) {
        if (it != first)
            ws_close_conn(it, 1);
    }, conn);
    CHECK(ws_count() == 1 && ws_is_open(conn) == 1);
    end();
    CHECK(words == 1);
    for (int client : clients)
        close(client);
    puts("each");
}

/* Out of the last word: the server stops all the same, and listens no more. */
static void last_words()
{
    words = 0;
    CHECK(ws_begin(argc, argv) == 0);
    int clients[] = { open_client(), open_client() }, before = exits;
    thrower = "shutdown";
    ws_stop();
    step_until_thrown("shutdown");
    CHECK(words == 1 && ws_count() == 0 && access(path, F_OK) != 0);
    end();
    CHECK(words == 1 && exits == before + 1);
    for (int client : clients)
        close(client);

    /* The next one says it as ever. */
    words = 0;
    CHECK(ws_begin(argc, argv) == 0);
    int client = open_client();
    ws_stop();
    await_bytes(client, "\x81\x07goodbye\x88\x02\x03\xe9", 13);
    end();
    CHECK(words == 1);
    close(client);
    puts("last words");
}

/* Out of ws_main(). */
static void through_main()
{
    words = guest = 0;
    on_message = [](void *) { ws_stop(); };
    thrower = "shutdown";
    CHECK(throws("shutdown", [] { ws_main(argc, argv); }));
    CHECK(words == 1 && ws_count() == 0 && access(path, F_OK) != 0);
    close(guest);
    puts("main");
}

int main(int count, char **words)
{
    argc = count;
    argv = words;
    path = argv[argc - 1];
    set_callbacks();
    each();
    last_words();
    through_main();
}
