/* A program that defines nothing, but has the library's main (CONTRACT S15). */
#include <dorrit.h>

char **where_the_option_goes = &ws_config_file;
