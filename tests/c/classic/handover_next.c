/* The next version of handover.c, which takes its place. */
#define CLASSIC
#define VERSION 2
#include "../handover.c"
