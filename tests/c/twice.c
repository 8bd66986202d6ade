/* The header twice, and nothing before it. */
#include <dorrit.h>
#include <dorrit.h>

char **config(void);

char **config(void)
{
    return &ws_config_file;
}
