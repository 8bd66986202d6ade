/*
 * dorrit.hpp: libdorrit(3) for C++17, in one header.
 *
 *     class echo : public dorrit::server {
 *             void on_message(dorrit::connection conn, std::string_view text, bool binary) override
 *             {
 *                     conn.send(text, binary);
 *             }
 *     };
 *
 *     int main(int argc, char **argv)
 *     {
 *             echo server;
 *             return server.run(argc, argv);
 *     }
 *
 *     c++ -std=c++17 -o echo echo.cc $(pkg-config --cflags --libs dorrit)
 *
 * There is one server in a process at a time.  All functions are to be called on its thread, but for
 * server::post() and server::stop(), which any thread may call.  An exception that leaves a function of
 * yours leaves server::run(), and ends the server, or server::step(), and the server goes on.
 *
 * wrapper.cc is a whole program.
 */
#ifndef DORRIT_HPP
#define DORRIT_HPP

#include <dorrit.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dorrit {

/*
 * A client, or a request that asks for no upgrade.  It is a value to be copied and kept: one whose client has
 * gone is recognised, and what is done with it does nothing.
 */
class connection {
public:
	connection() noexcept = default;	/* nobody */
	explicit connection(void *handle) noexcept : handle_(handle) {}

	/* The handle of dorrit.h, for what is missing here. */
	void *handle() const noexcept { return handle_; }

	/* Queues a message, which is copied.  False: the client has gone or is being closed, too much is
	   queued for it already, or there is no memory. */
	bool send(std::string_view message, bool binary = false) const
	{
		return ws_send(&handle_, 1, binary, message.data(), message.size()) == 1;
	}

	/* Closes the connection when its queue is written; on_close() follows. */
	void close(int code = 1000, const char *reason = nullptr) const
	{
		ws_close_conn_code(handle_, code, reason);
	}

	/* Closes it at once, and throws its queue away; on_close() follows. */
	void drop() const { ws_close_conn(handle_, 1); }

	/* A pointer of yours, for you to free in on_close(); null before it is set, and when the client has gone. */
	template <class T> T *data() const { return static_cast<T *>(ws_get_data(handle_)); }
	void set_data(void *data) const { ws_set_data(handle_, data); }

	/* How many bytes are queued; where it is not 0, on_drain() follows. */
	unsigned long queued() const { return ws_get_qbytes(handle_); }

	/* The sub-protocol, "" for none. */
	std::string_view protocol() const { return ws_get_protocol(handle_); }

	/* In on_close(): why it has ended (RFC 6455 7.4.1). */
	int close_code() const { return ws_get_close_code(handle_); }

	/* The client's address, "" where it is not known: see ws_get_address(3). */
	std::string_view address() const { return ws_get_address(handle_); }

	/* In on_open() and the function of set_request(), and after defer() until the decision: the request's
	   target, such as "/path?query", and one of its headers; both live as long.  A header that is not there
	   is "". */
	std::string_view target() const { return or_empty(ws_get_target(handle_)); }
	std::string_view header(const char *name) const { return or_empty(ws_get_header(handle_, name)); }

	/* There too: adds a header to the answer, and sets its body, which are copied.  False where that cannot
	   be. */
	bool set_header(const char *name, const char *value) const
	{
		return ws_set_header(handle_, name, value) == 0;
	}
	bool set_body(std::string_view body) const
	{
		return ws_set_body(handle_, body.data(), body.size()) == 0;
	}

	/* Takes one of the sub-protocols that the client offers, there too, and says with which status a client is
	   refused, in on_open() alone.  False where that cannot be. */
	bool choose_protocol(const char *name) const { return ws_choose_protocol(handle_, name) == 0; }
	bool set_status(int status) const { return ws_set_status(handle_, status) == 0; }

	/* Puts the decision off, in on_open(), which returns true then, or in the function of set_request(), which
	   returns 0; accept() or respond() decides, and on_close() follows once: see ws_defer(3).  False where
	   that cannot be, or there is nothing to decide. */
	bool defer() const { return ws_defer(handle_) == 0; }
	bool accept() const { return ws_accept(handle_) == 0; }
	bool respond(int status) const { return ws_respond(handle_, status) == 0; }

	friend bool operator==(connection a, connection b) noexcept { return a.handle_ == b.handle_; }
	friend bool operator!=(connection a, connection b) noexcept { return a.handle_ != b.handle_; }
	friend bool operator<(connection a, connection b) noexcept
	{
		return std::less<void *>()(a.handle_, b.handle_);
	}

private:
	static std::string_view or_empty(const char *text) { return text ? text : ""; }

	void *handle_ = nullptr;
};

/*
 * A request that asks for no upgrade.  What it names is the library's.
 */
struct request {
	std::string_view method, target, body;
};

/*
 * Clients who are told the same: add() in on_open(), remove() in on_close().  A message is framed and kept
 * once, however many they are.
 */
class group {
public:
	void add(connection conn) { handles_.push_back(conn.handle()); }

	void remove(connection conn)
	{
		auto found = std::find(handles_.begin(), handles_.end(), conn.handle());

		if (found != handles_.end()) {
			*found = handles_.back();
			handles_.pop_back();
		}
	}

	std::size_t size() const noexcept { return handles_.size(); }

	/* Returns for how many it is queued, or -1 where there is no memory. */
	long send(std::string_view message, bool binary = false) const
	{
		return ws_send(handles_.data(), static_cast<int>(handles_.size()), binary, message.data(),
		    message.size());
	}

private:
	std::vector<void *> handles_;
};

class server;

/*
 * A call that server::after() or server::every() has promised: it is not made once this is destroyed.  It
 * must not outlive its server.
 */
class timer {
public:
	timer() noexcept = default;
	timer(timer &&) noexcept = default;
	timer &operator=(timer &&other) noexcept
	{
		cancel();
		call_ = std::move(other.call_);
		return *this;
	}
	~timer() { cancel(); }

	/* Forgets the call.  It may be called from within it. */
	void cancel() noexcept
	{
		if (call_)
			ws_cancel(std::exchange(call_->handle, nullptr));
		call_.reset();
	}

	/* False where the call was made or forgotten, or could not be promised. */
	explicit operator bool() const noexcept { return call_ && call_->handle; }

private:
	friend class server;

	struct call : std::enable_shared_from_this<call> {
		call(std::function<void()> what, unsigned when, bool again)
		    : func(std::move(what)), millis(when), repeats(again)
		{
		}

		void arm() { handle = ws_after(millis, made, this); }

		static void made(void *data)
		{
			/* The function may destroy the timer that it belongs to. */
			auto self = static_cast<call *>(data)->shared_from_this();

			self->handle = nullptr;
			if (self->repeats)
				self->arm();	/* it counts from when this call was due */
			self->func();
		}

		const std::function<void()> func;
		const unsigned millis;
		const bool repeats;
		void *handle = nullptr;
	};

	explicit timer(std::shared_ptr<call> made) : call_(std::move(made)) { call_->arm(); }

	std::shared_ptr<call> call_;
};

/*
 * A descriptor of yours that server::watch() has watched, until this is destroyed: do that before the
 * descriptor is closed.
 */
class watch {
public:
	watch() noexcept = default;
	watch(watch &&) noexcept = default;
	watch &operator=(watch &&other) noexcept
	{
		end();
		ready_ = std::move(other.ready_);
		return *this;
	}
	~watch() { end(); }

	/* Watches it no more.  It may be called from within the function. */
	void end() noexcept
	{
		if (ready_)
			ws_watch(ready_->fd, 0, nullptr, nullptr);
		ready_.reset();
	}

	/* False where the descriptor cannot be watched. */
	explicit operator bool() const noexcept { return ready_ != nullptr; }

private:
	friend class server;

	struct ready : std::enable_shared_from_this<ready> {
		ready(int which, std::function<void(int)> what) : fd(which), func(std::move(what)) {}

		static void is(int, int events, void *data)
		{
			auto self = static_cast<ready *>(data)->shared_from_this();

			self->func(events);
		}

		const int fd;
		const std::function<void(int)> func;
	};

	watch(int fd, int events, std::function<void(int)> func)
	    : ready_(std::make_shared<ready>(fd, std::move(func)))
	{
		if (ws_watch(fd, events, ready::is, ready_.get()) != 0)
			ready_.reset();
	}

	std::shared_ptr<ready> ready_;
};

/*
 * The server: derive from it, and override what you need.
 */
class server {
public:
	server() = default;
	server(const server &) = delete;
	server &operator=(const server &) = delete;

	/* Ends a server that was begun and not stepped to its end: clients are told, and none of the functions
	   below is called any more. */
	virtual ~server()
	{
		if (instance_ != this)
			return;
		instance_ = nullptr;
		ws_stop();
		for (int answer = 1; answer != 0;) {
			try {
				answer = ws_step(-1);
			} catch (...) {
				/* A timer's, or a descriptor's: there is nobody left to tell. */
			}
			if (answer < 0)
				std::terminate();	/* on another thread, or from within a callback */
		}
		ws_set_callbacks(nullptr, 0);
	}

	/* Serves until it is stopped: SIGTERM does that, and SIGINT in the foreground.  The arguments are
	   those of main(), and so is what it returns. */
	int run(int argc, char **argv)
	{
		if (!claim())
			return 1;
		release_at_end end(this);
		return ws_main(argc, argv);
	}

	/* Begins to serve in a loop of yours, which calls step(); see ws_begin(3).  Returns 0, or the exit
	   status of a program that cannot do without. */
	int begin(int argc, char **argv)
	{
		if (!claim())
			return -1;
		release_at_end end(this);
		int status = ws_begin(argc, argv);

		if (status == 0)
			end.keep();
		return status;
	}

	/* Waits for work, for ever where `wait` is negative, and does one round of it.  Returns false when the
	   server has stopped, and all of it is gone.  Throws std::logic_error on another thread than the server's,
	   and from within one of the functions below. */
	bool step(std::chrono::milliseconds wait = std::chrono::milliseconds(-1))
	{
		auto millis = std::clamp<std::chrono::milliseconds::rep>(wait.count(), -1, 0x7fffffff);
		int answer = ws_step(static_cast<int>(millis));

		if (answer < 0)
			throw std::logic_error("dorrit::server::step");
		if (answer == 0 && instance_ == this)
			release();
		return answer != 0;
	}

	/* For another library's loop: what to wait for, and how long; see ws_get_fd(3). */
	static int fd() { return ws_get_fd(); }
	static int timeout() { return ws_get_timeout(); }

	/* Has the server stop.  For any thread, and signal handlers. */
	static void stop() noexcept { ws_stop(); }

	/* Sets an option as the command line does, which has the last word: set_option("max-message", "65536").  In
	   on_init(), or before run() or begin().  False where it cannot be. */
	static bool set_option(const char *name, const char *value = nullptr)
	{
		return ws_set_option(name, value) == 0;
	}

	/* What follows "--" on the command line. */
	static std::vector<std::string> arguments()
	{
		std::vector<std::string> all;

		for (char **argument = ws_arguments; *argument; argument++)
			all.emplace_back(*argument);
		return all;
	}

	/* Has the function called on the server's thread, once.  For any thread.  False where a server has ended
	   and no other one has begun: then the function is destroyed uncalled, as it is where the server does
	   not start. */
	bool post(std::function<void()> func)
	{
		std::lock_guard<std::mutex> lock(posts_mutex_);

		posts_.push_back(std::move(func));
		if (ws_post(call_post, nullptr) == 0)
			return true;
		posts_.pop_back();
		return false;
	}

	/* Has the function called once, when that time has passed.  From on_start() on. */
	[[nodiscard]] timer after(std::chrono::milliseconds delay, std::function<void()> func)
	{
		return make_timer(delay, std::move(func), false);
	}

	/* Has the function called again and again, in this period.  From on_start() on. */
	[[nodiscard]] timer every(std::chrono::milliseconds period, std::function<void()> func)
	{
		return make_timer(period, std::move(func), true);
	}

	/* Has the function called as long as the descriptor is ready: `events` is WS_READ, WS_WRITE or both, and so
	   is what the function is told.  From on_start() on. */
	[[nodiscard]] dorrit::watch watch(int fd, int events, std::function<void(int events)> func)
	{
		return dorrit::watch(fd, events, std::move(func));
	}

	/* Has this function take the library's log, instead of standard error and syslog(3): see
	   ws_log_callback(3).  Before run() or begin().  Exceptions do not leave it. */
	void set_log(std::function<void(int priority, const char *line)> func) { log_ = std::move(func); }

	/* Has this function answer requests that ask for no upgrade: it returns a status, 0 where the request is
	   none of its affair; see ws_request_callback(3).  What `it` names lives until then.  Before run() or begin(). */
	void set_request(std::function<int(connection conn, const request &it)> func) { request_ = std::move(func); }

	/* Serves a connection that you have accepted, and have read this from; see ws_adopt(3).  From on_start() on.
	   False where it cannot be served, and remains yours. */
	static bool adopt(int fd, std::string_view read = {})
	{
		return ws_adopt(fd, read.data(), read.size()) == 0;
	}

protected:
	/* The command line was read, and nothing listens yet: ws_init_func(3). */
	virtual void on_init() {}

	/* The server is about to listen: start threads, open databases.  False ends the start. */
	virtual bool on_start() { return true; }

	/* A client asks for a connection.  False refuses it. */
	virtual bool on_open(connection conn, std::string_view cookie)
	{
		(void)conn;
		(void)cookie;
		return true;
	}

	/* A message has come.  It is the library's, and lives until this returns. */
	virtual void on_message(connection conn, std::string_view message, bool binary) = 0;

	/* The client has gone, whoever ended it, or a request is over on which defer() has put the decision off. */
	virtual void on_close(connection conn) { (void)conn; }

	/* All that was queued for it is written: ws_drain_callback(3). */
	virtual void on_drain(connection conn) { (void)conn; }

	/* The last call of all. */
	virtual void on_exit() {}

private:
	bool claim()
	{
		ws_callbacks callbacks = ws_callbacks();

		/* Nobody is there any more where the destructor ends the server. */
		callbacks.init = [] { instance_.load()->on_init(); };
		callbacks.start = [] { return instance_.load()->on_start() ? 0 : -1; };
		callbacks.open = [](void *conn, char *cookie) {
			server *it = instance_;
			return it && it->on_open(connection(conn), cookie) ? 0 : -1;
		};
		callbacks.read = [](void *conn, int binary, int len, ws_byte *buffer) {
			const char *text = reinterpret_cast<const char *>(buffer);
			if (server *it = instance_)
				it->on_message(connection(conn), {text, static_cast<std::size_t>(len)}, binary != 0);
		};
		callbacks.close = [](void *conn) {
			if (server *it = instance_)
				it->on_close(connection(conn));
		};
		callbacks.drain = [](void *conn) {
			if (server *it = instance_)
				it->on_drain(connection(conn));
		};
		callbacks.exit = [] {
			if (server *it = instance_)
				it->on_exit();
		};
		if (log_) {
			callbacks.log = [](int priority, const char *line) {
				try {
					if (server *it = instance_)
						it->log_(priority, line);
				} catch (...) {
				}
			};
		}
		if (request_) {
			callbacks.request = [](void *conn, const char *method, const char *target, std::size_t len,
			    const unsigned char *body) {
				server *it = instance_;
				return it ? it->request_(connection(conn),
				    {method, target, {reinterpret_cast<const char *>(body), len}}) : 0;
			};
		}
		/* Not while a server is there, this one or another. */
		if (ws_set_callbacks(&callbacks, sizeof callbacks) != 0)
			return false;
		instance_ = this;
		return true;
	}

	void release() noexcept
	{
		std::deque<std::function<void()>> uncalled;

		ws_set_callbacks(nullptr, 0);
		instance_ = nullptr;
		std::lock_guard<std::mutex> lock(posts_mutex_);
		posts_.swap(uncalled);
	}

	/* Lets go of the callbacks where the server does not start, or has ended: by an exception too. */
	class release_at_end {
	public:
		explicit release_at_end(server *it) : it_(it) {}
		release_at_end(const release_at_end &) = delete;
		release_at_end &operator=(const release_at_end &) = delete;
		~release_at_end()
		{
			if (it_)
				it_->release();
		}
		void keep() { it_ = nullptr; }

	private:
		server *it_;
	};

	/* The functions stand in the order of the library's calls.  Those that were never to be called are
	   gone with their server. */
	static void call_post(void *)
	{
		std::function<void()> func;
		server *it = instance_;

		if (!it)
			return;
		{
			std::lock_guard<std::mutex> lock(it->posts_mutex_);
			if (it->posts_.empty())
				return;
			func = std::move(it->posts_.front());
			it->posts_.pop_front();
		}
		func();
	}

	timer make_timer(std::chrono::milliseconds delay, std::function<void()> func, bool repeats)
	{
		auto millis = std::clamp<std::chrono::milliseconds::rep>(delay.count(), 0, 0xffffffff);

		return timer(std::make_shared<timer::call>(std::move(func), static_cast<unsigned>(millis), repeats));
	}

	/* The one that the library's callbacks lead to. */
	static inline std::atomic<server *> instance_ = nullptr;

	std::function<void(int, const char *)> log_;
	std::function<int(connection, const request &)> request_;
	std::mutex posts_mutex_;
	std::deque<std::function<void()>> posts_;
};

} /* namespace dorrit */

#endif /* DORRIT_HPP */
