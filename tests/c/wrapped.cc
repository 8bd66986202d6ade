/* c-examples/dorrit.hpp by itself: each part says on standard output that it has gone well, or ends the program. */
#include <dorrit.hpp>

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <thread>

#include <sys/socket.h>
#include <unistd.h>

using namespace std::chrono_literals;

static int argc;
static char **argv;

#define CHECK(is_so) ((is_so) ? (void)0 : fail(#is_so, __LINE__))

static void fail(const char *what, int line)
{
    fprintf(stderr, "line %d: not so: %s\n", line, what);
    exit(1);
}

struct Base : dorrit::server {
    std::function<bool()> start;
    int exits = 0, closes = 0;

    bool on_start() override { return !start || start(); }
    void on_message(dorrit::connection, std::string_view, bool) override {}
    void on_close(dorrit::connection) override { closes++; }
    void on_exit() override { exits++; }
};

static void timers()
{
    Base server;
    dorrit::timer once, forgotten, itself, period;
    int calls = 0, periods = 0;

    server.start = [&] {
        once = server.after(1ms, [&] { calls++; });
        forgotten = server.after(1ms, [] { fail("forgotten", 0); });
        CHECK(once && forgotten);
        forgotten.cancel();
        CHECK(!forgotten);
        {
            auto scope = server.after(1ms, [] { fail("out of scope", 0); });
        }
        auto big = std::make_shared<int>(7);
        itself = server.after(2ms, [&, big] {
            itself = dorrit::timer();
            CHECK(*big == 7); /* what is captured is still there */
            itself = server.after(1ms, [&] { calls++; });
        });
        period = server.every(5ms, [&] {
            if (++periods < 3)
                return;
            period.cancel();
            once = dorrit::timer();
            server.stop();
        });
        return true;
    };
    CHECK(server.run(argc, argv) == 0);
    CHECK(calls == 2 && periods == 3 && server.exits == 1);
    puts("timers");
}

static void watches()
{
    Base server;
    dorrit::watch watched;
    int ends[2], told = 0;

    CHECK(pipe(ends) == 0);
    server.start = [&] {
        CHECK(!server.watch(-1, WS_READ, [](int) {}));
        watched = server.watch(ends[0], WS_READ, [&](int events) {
            char byte;

            CHECK(events == WS_READ && read(ends[0], &byte, 1) == 1);
            if (++told == 2) {
                watched.end();
                server.stop();
            }
        });
        CHECK(watched);
        CHECK(write(ends[1], "abc", 3) == 3);
        return true;
    };
    CHECK(server.run(argc, argv) == 0);
    CHECK(told == 2);
    close(ends[0]);
    close(ends[1]);
    puts("watches");
}

static void posts()
{
    Base server;
    std::thread thread;
    int next = 0;
    auto held = std::make_shared<int>();

    CHECK(server.post([&] { CHECK(next++ == 0); })); /* the server that comes has it */
    server.start = [&] {
        thread = std::thread([&] {
            for (int i = 1; i <= 1000; i++)
                CHECK(server.post([&next, i] { CHECK(next++ == i); }));
            server.post([&] { server.stop(); });
        });
        return true;
    };
    CHECK(server.begin(argc, argv) == 0);
    while (server.step()) {
    }
    thread.join();
    CHECK(next == 1001);
    CHECK(!server.post([held] {}) && held.use_count() == 1);
    puts("posts");
}

static void starts_that_fail()
{
    Base server;
    auto held = std::make_shared<int>();

    server.start = [&] {
        CHECK(server.post([held] { fail("posted", 0); }));
        return false;
    };
    CHECK(server.begin(argc, argv) == 1 && server.exits == 0 && held.use_count() == 1);
    CHECK(server.run(argc, argv) == 1);
    server.start = []() -> bool { throw 7; };
    for (int i = 0; i < 2; i++) {
        try {
            i == 0 ? server.begin(argc, argv) : server.run(argc, argv);
            fail("no exception", __LINE__);
        } catch (int number) {
            CHECK(number == 7);
        }
    }
    server.start = [&] {
        server.stop();
        return true;
    };
    CHECK(server.run(argc, argv) == 0 && server.exits == 1);
    puts("starts that fail");
}

static void exceptions()
{
    Base server;
    dorrit::timer timer;
    int caught = 0, calls = 0;

    CHECK(server.begin(argc, argv) == 0);
    timer = server.every(1ms, [&] {
        if (++calls == 3)
            server.stop();
        throw calls;
    });
    server.post([] { throw 0; });
    for (bool goes_on = true; goes_on;) {
        try {
            goes_on = server.step();
        } catch (int) {
            caught++;
        }
    }
    CHECK(calls >= 3 && caught == calls + 1 && server.exits == 1);

    server.start = [&] {
        server.post([] { throw std::string("it leaves run()"); });
        return true;
    };
    try {
        server.run(argc, argv);
        fail("no exception", __LINE__);
    } catch (const std::string &text) {
        CHECK(text == "it leaves run()");
    }
    puts("exceptions");
}

static void one_at_a_time()
{
    Base first, second;

    CHECK(first.begin(argc, argv) == 0);
    CHECK(second.begin(argc, argv) == -1 && second.run(argc, argv) == 1);
    bool has_refused = false;
    std::thread([&] {
        try {
            first.step(0ms);
        } catch (const std::logic_error &) {
            has_refused = true;
        }
    }).join();
    CHECK(has_refused);
    has_refused = false;
    first.post([&] {
        try {
            first.step(0ms);
        } catch (const std::logic_error &) {
            has_refused = true;
        }
        first.stop();
    });
    while (first.step()) {
    }
    CHECK(has_refused && first.exits == 1 && second.exits == 0);
    second.start = [&] {
        second.stop();
        return true;
    };
    CHECK(second.run(argc, argv) == 0 && second.exits == 1);
    puts("one at a time");
}

static void left_alone()
{
    {
        Base server;

        CHECK(server.begin(argc, argv) == 0);
        CHECK(server.step(0ms));
        server.post([] { fail("posted", 0); });
    }
    Base server;
    CHECK(server.begin(argc, argv) == 0); /* nothing of the first is in the way */
    server.stop();
    while (server.step()) {
    }
    CHECK(server.exits == 1);
    puts("left alone");
}

static void the_log()
{
    std::vector<std::string> lines;
    Base server;

    server.set_log([&](int, const char *line) {
        lines.push_back(line);
        throw 1; /* it goes nowhere */
    });
    CHECK(server.set_option("log-level", "debug"));
    CHECK(!server.set_option("log-level", "loud"));
    server.start = [&] {
        CHECK(server.arguments() == std::vector<std::string>({"one", "", "-x"}));
        server.stop();
        return true;
    };
    CHECK(server.run(argc, argv) == 0 && !lines.empty());
    puts("the log");
}

/* A connection of the program's own, with four requests: one of them is answered later, and one not at all. */
static void requests()
{
    Base server;
    int ends[2];
    std::string said;
    bool has_thrown = false;

    server.set_request([&](dorrit::connection conn, const dorrit::request &it) {
        if (it.target == "/throw")
            throw 5;
        if (it.target == "/other")
            return 404;
        if (it.target == "/later") {
            CHECK(conn.defer() && !conn.accept());
            server.post([conn] {
                CHECK(conn.header("Host") == "here" && conn.set_header("A", "b"));
                CHECK(conn.respond(202) && !conn.respond(202) && conn.header("Host").empty());
            });
            return 0;
        }
        CHECK(it.method == "POST" && it.body == "hello" && conn.target() == "/echo");
        CHECK(conn.address().empty() && !conn.set_header("Date", "today") && conn.set_body(it.body));
        return 200;
    });
    server.start = [&] {
        std::string rest = "Content-Length: 5\r\n\r\nhelloGET /other HTTP/1.1\r\nHost: here\r\n\r\n"
                           "GET /later HTTP/1.1\r\nHost: here\r\n\r\nGET /throw HTTP/1.1\r\nHost: here\r\n\r\n";

        CHECK(!server.adopt(-1) && socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
        CHECK(server.adopt(ends[0], "POST /echo HTTP/1.1\r\nHost: here\r\n"));
        CHECK(send(ends[1], rest.data(), rest.size(), 0) == static_cast<ssize_t>(rest.size()));
        return true;
    };
    CHECK(server.begin(argc, argv) == 0);
    for (ssize_t len = -1; len != 0;) {
        char bytes[4096];

        try {
            CHECK(server.step());
        } catch (int number) {
            has_thrown = number == 5;
            CHECK(server.closes == 1);
        }
        while ((len = recv(ends[1], bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
            said.append(bytes, static_cast<size_t>(len));
        if (said.find(" 403 ") != std::string::npos)
            shutdown(ends[1], SHUT_WR);
    }
    close(ends[1]);
    server.stop();
    while (server.step()) {
    }
    size_t first = said.find("HTTP/1.1 200 "), body = said.find("\r\n\r\nhello"), second = said.find("HTTP/1.1 404 "),
           third = said.find("HTTP/1.1 202 "), header = said.find("\r\nA: b\r\n"), last = said.find("HTTP/1.1 403 ");
    CHECK(first == 0 && first < body && body < second && second < third && third < header && header < last);
    CHECK(last != std::string::npos && has_thrown && server.closes == 1);
    puts("requests");
}

int main(int count, char **words)
{
    std::vector<char *> all(words, words + count);
    std::string texts[] = {"--", "one", "", "-x"};

    for (auto &text : texts)
        all.push_back(text.data());
    all.push_back(nullptr);
    argc = static_cast<int>(all.size()) - 1;
    argv = all.data();

    setvbuf(stdout, nullptr, _IOLBF, 0);
    posts(); /* before any other server has ended */
    timers();
    watches();
    starts_that_fail();
    exceptions();
    one_at_a_time();
    left_alone();
    the_log();
    requests();
}
