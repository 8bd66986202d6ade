/* The same under libdorrit(8). */
#define THROWS_CLASSIC
#include "../throws.cc"
