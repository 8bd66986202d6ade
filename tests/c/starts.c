/* A server of the library's own main, whose journal tells what is called at its start, with what ws_arguments. Its
 * ws_start_callback() returns the number in the file that $START_ANSWER names, where that is there. */
#define _POSIX_C_SOURCE 200809L
#include <dorrit.h>

#include "journal.h"

#include <stdlib.h>

void ws_init_func(void)
{
    char name[] = "starts";
    const char *own = getenv("PROBE_NAME");
    char *set = getenv("SET_OPTION");
    char **argument;

    journal_open();
    ws_set_name(own != NULL ? (char *)own : name);
    journal("init %ld", (long)getpid());
    for (argument = ws_arguments; *argument != NULL; argument++)
        journal("argument [%s]", *argument);
    /* NAME or NAME=VALUE */
    if (set != NULL) {
        char *value = set;

        while (*value != '\0' && *value != '=')
            value++;
        if (*value == '=')
            *value++ = '\0';
        else
            value = NULL;
        journal("set %d", ws_set_option(set, value));
    }
    journal("file %s", ws_config_file != NULL ? ws_config_file : "none");
}

int ws_start_callback(void)
{
    const char *path = getenv("START_ANSWER");
    FILE *file = path != NULL ? fopen(path, "r") : NULL;
    int answer = 0;

    if (file != NULL) {
        if (fscanf(file, "%d", &answer) != 1)
            answer = 0;
        fclose(file);
    }
    journal("start %ld", (long)getpid());
    journal("started with %s", ws_config_file != NULL ? ws_config_file : "none");
    return answer;
}

void ws_exit_func(void)
{
    journal("exit %ld", (long)getpid());
}

int ws_open_callback(void *conn, char *cookie)
{
    (void)conn;
    (void)cookie;
    return 0;
}

void ws_read_callback(void *conn, int binary, int len, unsigned char *buffer)
{
    ws_send(&conn, 1, binary, buffer, (size_t)len);
}

void ws_close_callback(void *conn)
{
    (void)conn;
}
