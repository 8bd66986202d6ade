/* Handles of a server that has ended, while another one runs in this process: none of them names anything. */
#define _DEFAULT_SOURCE
#include "client.h"

static void *conn;
static int called;

void ws_init_func(void)
{
}

void ws_exit_func(void)
{
}

int ws_open_callback(void *it, char *cookie)
{
    (void)cookie;
    conn = it;
    return 0;
}

void ws_read_callback(void *it, int binary, int len, unsigned char *buffer)
{
    ws_send(&it, 1, binary, buffer, (size_t)len);
}

void ws_close_callback(void *it)
{
    (void)it;
}

static void call(void *data)
{
    (void)data;
    called++;
}

static void end(void)
{
    int answer;

    ws_stop();
    while ((answer = ws_step(-1)) == 1)
        ;
    CHECK(answer == 0);
}

/* A server with a client, which is returned, and a timer; and their handles. */
static int begin(int argc, char **argv, void *handles[2])
{
    int client;

    CHECK(ws_begin(argc, argv) == 0);
    client = connect_client(argv[argc - 1]);
    await_open(client);
    handles[0] = conn;
    handles[1] = ws_after(10, call, NULL);
    CHECK(handles[0] != NULL && handles[1] != NULL);
    return client;
}

int main(int argc, char **argv)
{
    void *earlier[20][2], *handles[2];
    int i, k, client;

    for (i = 0; i < 20; i++) {
        close(begin(argc, argv, earlier[i]));
        end();
    }
    called = 0;
    client = begin(argc, argv, handles);
    for (i = 0; i < 20; i++) {
        for (k = 0; k < 2; k++) {
            CHECK(earlier[i][k] != handles[0] && earlier[i][k] != handles[1]);
            ws_cancel(earlier[i][k]);
            ws_close_conn(earlier[i][k], 1);
            CHECK(ws_send(&earlier[i][k], 1, 0, "x", 1) == 0);
            ws_set_data(earlier[i][k], &called);
        }
    }
    CHECK(ws_get_data(handles[0]) == NULL);
    while (called == 0)
        CHECK(ws_step(-1) == 1);
    send_text(client, "still there");
    await_text(client, "still there");
    close(client);
    end();
    return 0;
}
