/*
 * wrapper.cc: a server in C++, by dorrit.hpp: it takes numbers apart into primes.
 *
 *     c++ -std=c++17 -o wrapper wrapper.cc $(pkg-config --cflags --libs dorrit) -pthread
 *     ./wrapper -x -l /tmp/wrapper.socket
 *
 * It shows a class for the callbacks, a thread that works while the server serves, and posts what it has
 * found, a timer, and what becomes of exceptions: std::stoull() throws where a message is no number.
 */
#include <dorrit.hpp>

#include <condition_variable>
#include <csignal>
#include <iostream>
#include <stdexcept>
#include <thread>

/* One thread that does what it is given, in that order. */
class worker {
public:
	worker() : thread_([this] { work(); }) {}

	~worker()
	{
		{
			std::lock_guard<std::mutex> lock(mutex_);
			is_over_ = true;
		}
		changed_.notify_one();
		thread_.join();
	}

	void add(std::function<void()> task)
	{
		std::lock_guard<std::mutex> lock(mutex_);

		tasks_.push_back(std::move(task));
		changed_.notify_one();
	}

private:
	void work()
	{
		std::unique_lock<std::mutex> lock(mutex_);

		for (;;) {
			changed_.wait(lock, [this] { return is_over_ || !tasks_.empty(); });
			if (is_over_)
				return;
			auto task = std::move(tasks_.front());
			tasks_.pop_front();
			lock.unlock();
			task();
			lock.lock();
		}
	}

	std::mutex mutex_;
	std::condition_variable changed_;
	std::deque<std::function<void()>> tasks_;
	bool is_over_ = false;
	std::thread thread_;	/* last: it uses the others */
};

static std::string factors(unsigned long long number)
{
	std::string text = std::to_string(number) + " =";

	for (unsigned long long prime = 2; number > 1; prime++) {
		if (prime > number / prime)
			prime = number;
		for (; number % prime == 0; number /= prime)
			text += " " + std::to_string(prime);
	}
	return text;
}

class primes : public dorrit::server {
	/* Threads are started here, and not before: the process may have become a daemon. */
	bool on_start() override
	{
		worker_ = std::make_unique<worker>();
		second_ = every(std::chrono::seconds(1), [this] {
			everybody_.send(std::to_string(everybody_.size()) + " here");
		});
		return true;
	}

	bool on_open(dorrit::connection conn, std::string_view) override
	{
		everybody_.add(conn);
		return true;
	}

	void on_message(dorrit::connection conn, std::string_view message, bool) override
	{
		unsigned long long number = std::stoull(std::string(message));

		/* When the answer is found the client may have gone; that does no harm. */
		worker_->add([this, conn, number] {
			std::string answer = factors(number);
			post([conn, answer] { conn.send(answer); });
		});
	}

	void on_close(dorrit::connection conn) override { everybody_.remove(conn); }

	void on_exit() override { worker_.reset(); }

	dorrit::group everybody_;
	dorrit::timer second_;
	std::unique_ptr<worker> worker_;
};

/* begin() leaves signals to the program.  This is all that a handler may call. */
extern "C" {
static void on_signal(int) { dorrit::server::stop(); }
}

int main(int argc, char **argv)
{
	primes server;
	int status = server.begin(argc, argv);

	if (status != 0)
		return status;
	std::signal(SIGINT, on_signal);
	std::signal(SIGTERM, on_signal);

	/* server.run(argc, argv) is all of this, but that it leaves at the first exception. */
	for (;;) {
		try {
			if (!server.step())
				return 0;
		} catch (const std::exception &error) {
			/* The connection, and all others, are as they were. */
			std::cerr << "a message was of no use: " << error.what() << "\n";
		}
	}
}
