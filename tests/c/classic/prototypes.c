/* Every prototype of the header is declared again, as CONTRACT part 2 writes it, and those that E8 names as part 1 does. */
#include <dorrit.h>
#include <dorrit.h>
#ifdef __cplusplus
extern "C" {
#endif
void ws_init_func(void);
int ws_open_callback(void *conn, char *cookie, char *hostname, char *protocol);
void ws_read_callback(void *conn, int len, char *buffer);
void ws_close_callback(void *conn);
extern char *ws_config_file;
void ws_set_name(const char *name);
void ws_set_periodic(void (*func)(void), int seconds);
int ws_write_conn(void *conn, int len, char *data);
void ws_close_conn(void *conn, int force);
void ws_exit_func(void);
void ws_set_data(void *conn, void *data);
void *ws_get_data(void *conn);
unsigned int ws_get_qlen(void *conn);
#ifdef __cplusplus
}
#endif

#if DORRIT_VERSION_MAJOR != 3 || !defined DORRIT_VERSION
#error the header does not say which version it is
#endif
