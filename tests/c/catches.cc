/* A program with a loop of its own, out of each of whose functions an exception comes: it catches them around ws_step(), and
 * the server goes on as if nothing had been. The first argument is the server's socket. */
#include "client.h"

#include <stdexcept>
#include <string>

static std::string from;
static int closes, exits;

static void throw_from(const char *function)
{
    if (from == function) {
        from.clear();
        throw std::runtime_error(function);
    }
}

static void task(void *)
{
    throw_from("task");
}

static void ready(int fd, int, void *)
{
    CHECK(ws_watch(fd, 0, nullptr, nullptr) == 0);
    throw_from("ready");
}

static void tick()
{
    throw_from("tick");
}

extern "C" {

void ws_init_func(void)
{
    throw_from("init");
}

void ws_exit_func(void)
{
    exits++;
    throw_from("exit");
}

int ws_start_callback(void)
{
    ws_set_periodic(tick, 1);
    throw_from("start");
    return 0;
}

int ws_open_callback(void *, char *)
{
    throw_from("open");
    return 0;
}

void ws_read_callback(void *conn, int binary, int len, ws_byte *buffer)
{
    ws_send(&conn, 1, binary, buffer, (size_t)len);
    throw_from("read");
}

void ws_close_callback(void *)
{
    closes++;
    throw_from("close");
}
}

/* Steps the server until an exception comes out of this function. */
static void catch_from(const char *function)
{
    int left = 10000;
    for (;;) {
        try {
            CHECK(ws_step(1000) == 1);
            CHECK(left-- > 0);
        } catch (const std::runtime_error &error) {
            CHECK(std::string(error.what()) == function);
            CHECK(ws_get_timeout() == 0);
            return;
        }
    }
}

static int begin(char *path)
{
    char name[] = "catches", option[] = "-l";
    char *arguments[] = { name, option, path, nullptr };
    return ws_begin(3, arguments);
}

static void serves(char *path)
{
    int client = connect_client(path);
    await_open(client);
    send_text(client, "as before");
    await_text(client, "as before");
    close(client);
}

int main(int argc, char **argv)
{
    int client, pipes[2], more;
    CHECK(argc == 2);
    for (const char *function : { "init", "start" }) {
        bool is_caught = false;
        from = function;
        try {
            begin(argv[1]);
        } catch (const std::runtime_error &error) {
            is_caught = std::string(error.what()) == function;
        }
        CHECK(is_caught && access(argv[1], F_OK) != 0 && exits == 0);
    }
    CHECK(begin(argv[1]) == 0);
    serves(argv[1]);

    /* Who was about to be accepted is refused. */
    from = "open";
    client = connect_client(argv[1]);
    catch_from("open");
    for (more = 0; more == 0;) {
        char bytes[64];
        CHECK(ws_step(-1) == 1);
        more = recv(client, bytes, sizeof bytes, MSG_DONTWAIT) > 12 && memcmp(bytes + 9, "403", 3) == 0;
    }
    close(client);
    serves(argv[1]);

    /* What had come with the message is dealt with, though nothing more comes. */
    client = connect_client(argv[1]);
    await_open(client);
    from = "read";
    send_text(client, "first");
    send_text(client, "second");
    catch_from("read");
    await_text(client, "second");

    from = "close";
    closes = 0;
    close(client);
    catch_from("close");
    CHECK(closes == 1);
    serves(argv[1]);

    from = "task";
    CHECK(ws_post(task, nullptr) == 0);
    catch_from("task");
    from = "task";
    CHECK(ws_after(1, task, nullptr) != nullptr);
    catch_from("task");
    CHECK(pipe(pipes) == 0 && write(pipes[1], "x", 1) == 1);
    CHECK(ws_watch(pipes[0], WS_READ, ready, nullptr) == 0);
    from = "ready";
    catch_from("ready");
    from = "tick";
    catch_from("tick");
    close(pipes[0]);
    close(pipes[1]);
    serves(argv[1]);

    /* The last functions of all: what comes behind them is not lost. */
    CHECK(ws_post(task, nullptr) == 0);
    ws_stop();
    from = "task";
    catch_from("task");
    from = "exit";
    for (;;)
        try {
            more = ws_step(1000);
            if (more != 1)
                break;
        } catch (const std::runtime_error &error) {
            CHECK(std::string(error.what()) == "exit");
        }
    CHECK(more == 0 && exits == 1 && from.empty());
    CHECK(begin(argv[1]) == 0);
    serves(argv[1]);
    return 0;
}
