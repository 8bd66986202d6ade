/* The calls of matrix.c for requests. */

/* A socket that could be adopted, but not with bytes that are not there. */
static int do_adopt(void)
{
    return ws_adopt(STDOUT_FILENO, NULL, 5);
}

/* What is put off is accepted before the callback returns. */
static int do_defer(void *conn)
{
    int deferred = ws_defer(conn);

    if (deferred == 0)
        ws_accept(conn);
    return deferred;
}

static int run_requests(const char *call, void *conn, char *result)
{
    if (strcmp(call, "address") == 0)
        sprintf(result, "[%s]", ws_get_address(conn));
    else if (strcmp(call, "setheader") == 0)
        sprintf(result, "%d", ws_set_header(conn, "X-Matrix", "set"));
    else if (strcmp(call, "body") == 0)
        sprintf(result, "%d", ws_set_body(conn, "from the matrix", 15));
    else if (strcmp(call, "defer") == 0)
        sprintf(result, "%d", do_defer(conn));
    else if (strcmp(call, "accept") == 0)
        sprintf(result, "%d", ws_accept(conn));
    else if (strcmp(call, "respond") == 0)
        sprintf(result, "%d", ws_respond(conn, 404));
    else if (strcmp(call, "adopt") == 0)
        sprintf(result, "%d", do_adopt());
    else
        return 0;
    return 1;
}
