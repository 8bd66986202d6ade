/* ../handover.c for libdorrit(8). */
#define CLASSIC
#include "../handover.c"
