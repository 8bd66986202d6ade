/* A server of requests whose functions are no symbols of those names: they are set, in a main of its own. */
#define _POSIX_C_SOURCE 200809L
#include <dorrit.h>
#include <string.h>
#include "journal.h"

static void on_init(void)
{
    journal_open();
}

static void on_exit_(void)
{
    journal("exit");
}

static int on_request(void *conn, const char *method, const char *target, size_t len, const unsigned char *body)
{
    (void)len;
    (void)body;
    journal("request %s %s", method, target);
    return ws_set_body(conn, "set", 3) == 0 ? 201 : 500;
}

int main(int argc, char **argv)
{
    struct ws_callbacks callbacks;

    memset(&callbacks, 0, sizeof callbacks);
    callbacks.init = on_init;
    callbacks.exit = on_exit_;
    callbacks.request = on_request;
    if (ws_set_callbacks(&callbacks, sizeof callbacks) != 0)
        return 9;
    return ws_main(argc, argv);
}
