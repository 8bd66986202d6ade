/* A server of requests whose callback throws where the target is "/throws". */
#include <dorrit.h>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <stdexcept>

static bool is_there; /* what the callback has on its stack */

struct Local {
    Local() { is_there = true; }
    ~Local() { is_there = false; }
};

static void end()
{
    const char *stack = is_there ? "there" : "unwound";

    try {
        throw;
    } catch (const std::exception &error) {
        fprintf(stderr, "it ends: %s, the stack of the throw is %s\n", error.what(), stack);
    } catch (...) {
    }
    abort();
}

extern "C" {
void ws_init_func(void)
{
    std::set_terminate(end);
}

void ws_exit_func(void) {}

int ws_request_callback(void *, const char *, const char *target, size_t, const unsigned char *)
{
    Local local;

    if (strcmp(target, "/throws") == 0)
        throw std::runtime_error(target);
    return 200;
}
}
