/* A program with a main of its own, which starts servers in many ways and checks what it finds: the scenario is the first
 * argument, the server's socket the second. */
#define _POSIX_C_SOURCE 200809L
#include "client.h"

#include <pthread.h>
#include <stdarg.h>
#include <signal.h>

static char *path;
static int inits, exits, starts, reads, others, lines, answer;
static char last_line[1024];
static void (*on_init)(void);

void ws_init_func(void)
{
    inits++;
    if (on_init != NULL)
        on_init();
}

void ws_exit_func(void)
{
    exits++;
}

int ws_start_callback(void)
{
    starts++;
    CHECK(ws_set_option("m", "3") == -1);
    return answer;
}

int ws_open_callback(void *conn, char *cookie)
{
    (void)conn;
    (void)cookie;
    return 0;
}

void ws_read_callback(void *conn, int binary, int len, ws_byte *buffer)
{
    reads++;
    CHECK(ws_send(&conn, 1, binary, buffer, (size_t)len) == 1);
}

void ws_close_callback(void *conn)
{
    (void)conn;
}

/* A line of the log, in which functions of the library do nothing. */
void ws_log_callback(int priority, const char *line)
{
    CHECK(priority >= 3 && priority <= 7);
    CHECK(strchr(line, '\n') == NULL && strlen(line) > 0);
    CHECK(ws_step(0) != 1);
    CHECK(ws_get_qlen(NULL) == 0);
    strncpy(last_line, line, sizeof last_line - 1);
    lines++;
}

static int start(int (*function)(int, char **), const char *more, ...)
{
    char *arguments[16] = { (char *)"starter", (char *)"-x", (char *)"-l", path };
    int count = 4;
    va_list list;
    /* Another user could not make the socket again. */
    if (geteuid() == 0) {
        arguments[count++] = (char *)"-uroot";
        arguments[count++] = (char *)"-groot";
    }
    va_start(list, more);
    for (; more != NULL && count < 15; more = va_arg(list, const char *))
        arguments[count++] = (char *)more;
    va_end(list);
    return function(count, arguments);
}

static void end(void)
{
    int more;
    ws_stop();
    while ((more = ws_step(1000)) == 1)
        ;
    CHECK(more == 0);
}

/* Whether a message of so many bytes is taken: the server's answer is it, or a close frame of 1009. */
static int takes(size_t len)
{
    char text[126];
    int client = connect_client(path), is_taken;
    memset(text, 'x', len);
    text[len] = 0;
    await_open(client);
    send_text(client, text);
    is_taken = reads;
    if (len <= 5)
        await_text(client, text);
    else
        while (ws_step(100) == 1 && reads == is_taken) {
            char bytes[256];
            ssize_t got = recv(client, bytes, sizeof bytes, MSG_DONTWAIT);
            if (got >= 4) {
                CHECK((unsigned char)bytes[0] == 0x88 && (unsigned char)bytes[2] == 3 && (unsigned char)bytes[3] == 0xf1);
                break;
            }
        }
    is_taken = reads > is_taken;
    close(client);
    return is_taken;
}

static void set_in_init(void)
{
    CHECK(ws_set_option("max-message", "5") == 0);
    CHECK(ws_set_option("max-message", "none") == -1);
    CHECK(ws_set_option("p", "65536") == -1 && ws_set_option("x", "1") == -1);
    CHECK(ws_set_option("help", NULL) == -1 && ws_set_option("version", NULL) == -1);
    CHECK(ws_set_option("check", NULL) == -1 && ws_set_option("-x", NULL) == -1);
    CHECK(ws_set_option("no-such", "1") == -1 && ws_set_option(NULL, "1") == -1);
    CHECK(ws_set_option("m", NULL) == -1 && ws_set_option("", "") == -1);
    CHECK(ws_set_option("log-level", "debug") == 0);
}

static void options(void)
{
    on_init = set_in_init;
    CHECK(start(ws_begin, NULL) == 0);
    CHECK(takes(5) && !takes(6));
    CHECK(ws_set_option("m", "3") == -1);
    end();
    /* The command line has the last word. */
    CHECK(start(ws_begin, "--max-message", "100", NULL) == 0);
    CHECK(takes(6));
    end();
    /* What was set is forgotten with its server. */
    on_init = NULL;
    CHECK(start(ws_begin, NULL) == 0);
    CHECK(takes(6));
    end();
    CHECK(ws_set_option("max-message", "5") == 0);
    CHECK(ws_set_option("f", "relative") == 0);
    CHECK(start(ws_begin, NULL) == 0);
    CHECK(ws_config_file != NULL && ws_config_file[0] == '/');
    CHECK(takes(5) && !takes(6));
    end();
    CHECK(ws_config_file == NULL);
    /* An option that may be repeated is one: the command line's sockets are all. */
    CHECK(ws_set_option("l", "/nowhere/at/all") == 0);
    CHECK(start(ws_begin, NULL) == 0);
    end();
    CHECK(ws_set_option("m", "0") == -1 && ws_set_option("max-queue", "5,skip") == 0);
}

static void look_at_arguments(void)
{
    CHECK(strcmp(ws_arguments[0], "a b") == 0 && strcmp(ws_arguments[1], "") == 0);
    CHECK(strcmp(ws_arguments[2], "-x") == 0 && strcmp(ws_arguments[3], "--") == 0);
    CHECK(ws_arguments[4] == NULL);
}

static void arguments(void)
{
    CHECK(ws_arguments != NULL && ws_arguments[0] == NULL);
    on_init = look_at_arguments;
    CHECK(start(ws_begin, "--", "a b", "", "-x", "--", NULL) == 0);
    look_at_arguments();
    end();
    CHECK(ws_arguments != NULL && ws_arguments[0] == NULL);
    on_init = NULL;
    CHECK(start(ws_begin, "--", NULL) == 0);
    CHECK(ws_arguments[0] == NULL);
    end();
    CHECK(start(ws_begin, "operand", NULL) == 2);
    CHECK(strstr(last_line, "usage: ") != NULL);
}

static void other_init(void)
{
    others++;
}

static void other_read(void *conn, int binary, int len, ws_byte *buffer)
{
    (void)buffer;
    (void)len;
    others++;
    CHECK(ws_send(&conn, 1, binary, "other", 5) == 1);
}

static void callbacks(void)
{
    struct ws_callbacks other;
    int client, before;
    memset(&other, 0, sizeof other);
    other.init = other_init;
    other.exit = other_init;
    other.open = ws_open_callback;
    other.read = other_read;
    other.close = ws_close_callback;
    other.log = ws_log_callback;
    CHECK(ws_set_callbacks(&other, 0) == -1 || ws_set_callbacks(&other, 3) == -1);
    CHECK(ws_set_callbacks(&other, sizeof other - 1) == -1);
    CHECK(ws_set_callbacks(&other, sizeof other) == 0);
    CHECK(start(ws_begin, NULL) == 0);
    CHECK(inits == 0 && others == 1 && starts == 0);
    CHECK(ws_set_callbacks(NULL, 0) == -1);
    client = connect_client(path);
    await_open(client);
    send_text(client, "hello");
    await_text(client, "other");
    close(client);
    end();
    CHECK(exits == 0 && others == 3 && reads == 0);
    /* One that is missing is named. */
    before = lines;
    CHECK(ws_set_callbacks(&other, 3 * sizeof(void (*)(void))) == 0);
    CHECK(start(ws_begin, NULL) == 1);
    CHECK(others == 3 && lines == before);
    CHECK(ws_set_callbacks(NULL, 0) == 0);
    CHECK(start(ws_begin, NULL) == 0);
    CHECK(inits == 1 && starts == 1);
    end();
    CHECK(exits == 1);
}

static void refused(void)
{
    int client;
    answer = 7;
    CHECK(start(ws_begin, NULL) == 1);
    CHECK(strstr(last_line, "ws_start_callback") != NULL && strstr(last_line, "7") != NULL);
    CHECK(inits == 1 && starts == 1 && exits == 0);
    CHECK(access(path, F_OK) != 0 && ws_step(0) == 0);
    CHECK(start(ws_main, NULL) == 1);
    CHECK(inits == 2 && starts == 2 && exits == 0);
    answer = 0;
    CHECK(start(ws_begin, NULL) == 0);
    client = connect_client(path);
    await_open(client);
    close(client);
    end();
    CHECK(exits == 1);
}

static void check(void)
{
    CHECK(start(ws_begin, "--check", NULL) == 0 && start(ws_main, "--check", NULL) == 0);
    CHECK(start(ws_main, "--check", "-m", "0", NULL) == 1 && strstr(last_line, "-m 0") != NULL);
    CHECK(start(ws_main, "--check", "--no-such", NULL) == 2);
    CHECK(start(ws_main, "--check", "-u", "no such user", NULL) == 1);
    CHECK(inits == 0 && starts == 0 && exits == 0 && access(path, F_OK) != 0);
}

static void *stop(void *unused)
{
    ws_stop();
    return unused;
}

static void stop_in_handler(int signal)
{
    (void)signal;
    ws_stop();
}

static void begin_thread(void)
{
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, stop, NULL) == 0);
    CHECK(pthread_detach(thread) == 0);
    CHECK(start(ws_begin, NULL) == -1 && start(ws_main, NULL) == 1 && ws_step(0) == -1);
}

static void raise_term(void)
{
    CHECK(raise(SIGUSR2) == 0);
}

static void mains(void)
{
    static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGPIPE };
    struct sigaction action;
    int round;
    size_t i;
    memset(&action, 0, sizeof action);
    action.sa_handler = stop_in_handler;
    CHECK(sigaction(SIGUSR2, &action, NULL) == 0);
    for (i = 0; i < sizeof signals / sizeof *signals; i++)
        CHECK(signal(signals[i], SIG_DFL) != SIG_ERR);
    for (round = 0; round < 4; round++) {
        on_init = round % 2 == 0 ? begin_thread : raise_term;
        CHECK(start(ws_main, NULL) == 0);
        CHECK(inits == round + 1 && exits == round + 1);
        for (i = 0; i < sizeof signals / sizeof *signals; i++) {
            CHECK(sigaction(signals[i], NULL, &action) == 0);
            CHECK(action.sa_handler == SIG_DFL);
        }
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } scenarios[] = {
        { "options", options },
        { "arguments", arguments },
        { "callbacks", callbacks },
        { "refused", refused },
        { "check", check },
        { "mains", mains },
    };
    size_t i;
    CHECK(argc == 3);
    path = argv[2];
    for (i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
        if (strcmp(scenarios[i].name, argv[1]) == 0) {
            scenarios[i].run();
            CHECK(lines > 0);
            return 0;
        }
    return 2;
}
