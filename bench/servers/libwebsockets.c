/*
 * libwebsockets: messages are put together, and written when the socket takes them, as many as it
 * takes at a time.  Plain requests are answered with a head and, when the socket takes it, a body.
 *
 *	libwebsockets echo|broadcast|large|compress|health unix:PATH | tcp:PORT
 */
#include <libwebsockets.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* One that is to be sent, kept once for all to whom it goes. */
struct message {
	int references;
	enum lws_write_protocol kind;
	size_t len, room;
	unsigned char bytes[];	/* LWS_PRE bytes, then the payload */
};

struct client {
	struct lws *wsi;
	struct client *next, **before;
	struct message *arriving;
	struct message **queue;
	unsigned int first, count, room;	/* the queue is a ring */
};

static struct client *clients;
static int broadcasts;

static void drop(struct message *message)
{
	if (message != NULL && --message->references == 0)
		free(message);
}

static int arrive(struct client *client, const void *bytes, size_t len, size_t more)
{
	struct message *message = client->arriving;
	size_t have = message ? message->len : 0;

	if (message == NULL || message->room < have + len + more) {
		size_t room = have + len + more;

		if (room < 2 * have)
			room = 2 * have;
		message = realloc(message, sizeof *message + LWS_PRE + room);
		if (message == NULL)
			return -1;
		message->room = room;
		message->len = have;
		message->references = 1;
		client->arriving = message;
	}
	memcpy(message->bytes + LWS_PRE + have, bytes, len);
	message->len += len;
	return 0;
}

static int enqueue(struct client *client, struct message *message)
{
	if (client->count == client->room) {
		unsigned int room = client->room ? 2 * client->room : 4;
		struct message **queue = malloc(room * sizeof *queue);

		if (queue == NULL)
			return -1;
		for (unsigned int i = 0; i < client->count; i++)
			queue[i] = client->queue[(client->first + i) % client->room];
		free(client->queue);
		client->queue = queue;
		client->room = room;
		client->first = 0;
	}
	client->queue[(client->first + client->count++) % client->room] = message;
	message->references++;
	lws_callback_on_writable(client->wsi);
	return 0;
}

static int answer_head(struct lws *wsi, const char *path)
{
	unsigned char head[LWS_PRE + 1024], *start = head + LWS_PRE, *at = start;
	unsigned char *end = head + sizeof head - 1;

	if (strcmp(path, "/health") != 0)
		return lws_return_http_status(wsi, HTTP_STATUS_NOT_FOUND, NULL);
	if (lws_add_http_common_headers(wsi, HTTP_STATUS_OK, "text/plain", 3, &at, end) ||
	    lws_finalize_write_http_header(wsi, start, &at, end))
		return 1;
	lws_callback_on_writable(wsi);
	return 0;
}

static int answer_body(struct lws *wsi)
{
	unsigned char body[LWS_PRE + 3];

	memcpy(body + LWS_PRE, "ok\n", 3);
	if (lws_write(wsi, body + LWS_PRE, 3, LWS_WRITE_HTTP_FINAL) != 3)
		return 1;
	return lws_http_transaction_completed(wsi) ? -1 : 0;
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	struct client *client = user;
	struct message *message;

	switch (reason) {
	case LWS_CALLBACK_ESTABLISHED:
		client->wsi = wsi;
		client->next = clients;
		client->before = &clients;
		if (clients != NULL)
			clients->before = &client->next;
		clients = client;
		break;
	case LWS_CALLBACK_CLOSED:
		*client->before = client->next;
		if (client->next != NULL)
			client->next->before = client->before;
		for (; client->count > 0; client->count--, client->first++)
			drop(client->queue[client->first % client->room]);
		free(client->queue);
		free(client->arriving);
		break;
	case LWS_CALLBACK_RECEIVE:
		if (arrive(client, in, len, lws_remaining_packet_payload(wsi)) < 0)
			return -1;
		if (lws_remaining_packet_payload(wsi) > 0 || !lws_is_final_fragment(wsi))
			break;
		message = client->arriving;
		client->arriving = NULL;
		message->kind = lws_frame_is_binary(wsi) ? LWS_WRITE_BINARY : LWS_WRITE_TEXT;
		if (broadcasts) {
			for (struct client *one = clients; one != NULL; one = one->next)
				if (enqueue(one, message) < 0)
					return -1;
		} else if (enqueue(client, message) < 0) {
			return -1;
		}
		drop(message);
		break;
	case LWS_CALLBACK_SERVER_WRITEABLE:
		while (client->count > 0 && !lws_send_pipe_choked(wsi)) {
			message = client->queue[client->first % client->room];
			if (lws_write(wsi, message->bytes + LWS_PRE, message->len, message->kind) < 0)
				return -1;
			client->first = (client->first + 1) % client->room;
			client->count--;
			drop(message);
		}
		if (client->count > 0)
			lws_callback_on_writable(wsi);
		break;
	case LWS_CALLBACK_HTTP:
		return answer_head(wsi, in);
	case LWS_CALLBACK_HTTP_WRITEABLE:
		return answer_body(wsi);
	default:
		break;
	}
	return 0;
}

static const struct lws_protocols protocols[] = {
	{ .name = "bench", .callback = callback, .per_session_data_size = sizeof(struct client),
	  .rx_buffer_size = 65536 },
	{ 0 },
};

static const struct lws_extension extensions[] = {
	{ "permessage-deflate", lws_extension_callback_pm_deflate,
	  "permessage-deflate; client_no_context_takeover; server_no_context_takeover" },
	{ 0 },
};

int main(int argc, char **argv)
{
	struct lws_context_creation_info info;
	struct lws_context *context;

	if (argc != 3) {
		fprintf(stderr, "usage: %s echo|broadcast|large|compress|health ADDRESS\n", argv[0]);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	lws_set_log_level(LLL_ERR, NULL);
	broadcasts = strcmp(argv[1], "broadcast") == 0;
	memset(&info, 0, sizeof info);
	info.protocols = protocols;
	info.pt_serv_buf_size = 65536;
	info.gid = -1;
	info.uid = -1;
	if (strcmp(argv[1], "compress") == 0)
		info.extensions = extensions;
	if (strncmp(argv[2], "unix:", 5) == 0) {
		info.options |= LWS_SERVER_OPTION_UNIX_SOCK;
		info.iface = argv[2] + 5;
	} else {
		info.iface = "127.0.0.1";
		info.port = atoi(argv[2] + 4);
	}
	context = lws_create_context(&info);
	if (context == NULL)
		return 1;
	while (lws_service(context, 0) >= 0)
		;
	lws_context_destroy(context);
	return 0;
}
