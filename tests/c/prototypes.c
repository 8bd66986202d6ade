/* Every prototype of the header is declared again, as CONTRACT part 1 and what goes beyond it write it: a difference
 * does not compile. */
#include <dorrit.h>
#ifdef __cplusplus
extern "C" {
#endif
void ws_init_func(void);
void ws_exit_func(void);
int ws_open_callback(void *conn, char *cookie);
void ws_read_callback(void *conn, int binary, int len, unsigned char *buffer);
void ws_close_callback(void *conn);
extern char *ws_config_file;
void ws_set_name(const char *name);
void ws_set_periodic(void (*func)(void), int seconds);
void ws_set_data(void *conn, void *data);
void *ws_get_data(void *conn);
unsigned int ws_get_qlen(void *conn);
int ws_write_conn(void **conns, int count, int binary, unsigned int len, unsigned char *data);
void ws_close_conn(void *conn, int force);
int ws_set_max_message(unsigned int bytes);
int ws_set_compression(int level);
int ws_set_protocols(const char *list);
int ws_set_origins(const char *list);
int ws_set_ping(unsigned int idle, unsigned int timeout);
int ws_set_queue_limit(unsigned long bytes, int policy);
const char *ws_get_header(void *conn, const char *name);
const char *ws_get_target(void *conn);
int ws_choose_protocol(void *conn, const char *name);
int ws_set_status(void *conn, int status);
long ws_send(void *const *conns, int count, int binary, const void *data, size_t len);
const char *ws_get_protocol(void *conn);
unsigned long ws_get_qbytes(void *conn);
void ws_close_conn_code(void *conn, int code, const char *reason);
int ws_get_close_code(void *conn);
void ws_drain_callback(void *conn);
int ws_get_stats(struct ws_stats *stats, size_t size);
int ws_start_callback(void);
int ws_post(void (*func)(void *data), void *data);
int ws_watch(int fd, int events, void (*func)(int fd, int events, void *data), void *data);
void *ws_after(unsigned int millis, void (*func)(void *data), void *data);
void ws_cancel(void *timer);
int ws_main(int argc, char **argv);
void ws_stop(void);
int ws_begin(int argc, char **argv);
int ws_get_fd(void);
int ws_get_timeout(void);
int ws_step(int millis);
int ws_set_callbacks(const struct ws_callbacks *callbacks, size_t size);
int ws_set_option(const char *name, const char *value);
extern char **ws_arguments;
void ws_log_callback(int priority, const char *line);
int ws_want_drain(void *conn);
int ws_pause(void *conn);
int ws_resume(void *conn);
void ws_each(void (*func)(void *conn, void *data), void *data);
unsigned int ws_count(void);
int ws_is_open(void *conn);
void ws_shutdown_callback(void *conn);
#ifdef __cplusplus
}
#endif

#if DORRIT_VERSION_MAJOR != 3 || !defined DORRIT_VERSION
#error the header does not say which version it is
#endif
