/* The server of requests.c, which answers requests alone: it leaves the WebSocket callbacks out. */
#define WITHOUT_CONNECTIONS
#include "requests.c"
