/*
 * uWebSockets, in its own C++ interface, settings as in its examples except where a column needs
 * more.
 *
 *	uws echo|broadcast|large|compress|work|health unix:PATH | tcp:PORT
 */
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string>

#include "App.h"

struct Nothing {
};

/* 100 microseconds, by the clock. */
static void work()
{
	using clock = std::chrono::steady_clock;
	const auto end = clock::now() + std::chrono::microseconds(100);

	while (clock::now() < end)
		;
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		std::cerr << "usage: " << argv[0] << " echo|broadcast|large|compress|work|health ADDRESS\n";
		return 2;
	}
	const std::string mode = argv[1], address = argv[2];
	const bool broadcasts = mode == "broadcast", compresses = mode == "compress";
	const bool works = mode == "work";

	/* A write to a client that has gone must not end the server. */
	std::signal(SIGPIPE, SIG_IGN);

	uWS::App app;
	uWS::App::WebSocketBehavior<Nothing> behavior;
	behavior.compression = compresses
		? uWS::CompressOptions(uWS::SHARED_COMPRESSOR | uWS::SHARED_DECOMPRESSOR)
		: uWS::DISABLED;
	behavior.maxPayloadLength = 16 * 1024 * 1024;
	behavior.maxBackpressure = 64 * 1024 * 1024;
	behavior.open = [broadcasts](auto *ws) {
		if (broadcasts)
			ws->subscribe("all");
	};
	if (broadcasts)
		behavior.message = [&app](auto *, std::string_view message, uWS::OpCode op) {
			app.publish("all", message, op, false);
		};
	else
		behavior.message = [compresses, works](auto *ws, std::string_view message, uWS::OpCode op) {
			if (works)
				work();
			ws->send(message, op, compresses);
		};
	if (mode == "health")
		app.get("/health", [](auto *res, auto *) { res->end("ok\n"); });
	else
		app.ws<Nothing>("/*", std::move(behavior));

	auto listening = [&address](auto *socket) {
		if (!socket) {
			std::cerr << address << ": cannot listen\n";
			std::exit(1);
		}
	};
	if (address.rfind("unix:", 0) == 0)
		app.listen(listening, address.substr(5));
	else
		app.listen("127.0.0.1", std::atoi(address.c_str() + 4), listening);
	app.run();
}
