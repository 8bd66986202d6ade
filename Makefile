# A thin wrapper around cargo, for GNU make and BSD make alike.
#
#	make		builds the library
#	make run	starts the echo server and says how to talk to it
#	make test	installs what the tests need, where it may, and runs them
#	make lint	formatting, clippy, the header, the manual, the scripts
#	make install	into PREFIX, below DESTDIR where that is given
#	make uninstall	removes what install has put there
#	make clean	removes all that was built

PREFIX = /usr/local
DESTDIR =
LIBDIR = $(PREFIX)/lib
INCLUDEDIR = $(PREFIX)/include
MANDIR = $(PREFIX)/share/man
DATADIR = $(PREFIX)/share/dorrit
EXAMPLESDIR = $(PREFIX)/share/examples/dorrit
# Empty: libdata/pkgconfig on FreeBSD, $(LIBDIR)/pkgconfig elsewhere.
PKGCONFIGDIR =
# Empty: $(PREFIX)/etc/rc.d on FreeBSD, beside the systemd unit elsewhere.
RCDIR =

CARGO = cargo
RUSTC = rustc
INSTALL = install

# Where the server of `make run` listens.
SOCKET = target/run/echo.socket

all: build

.PHONY: all build run test lint install uninstall clean

# The system libraries that a program must name when it links libdorrit.a, as
# rustc knows them for this system, are noted for dorrit.pc: install may be run
# by a root who has no Rust.  -lgcc_s is left out: the compiler adds it, or its
# static twin, by itself.
build:
	$(CARGO) build --release
	@$(RUSTC) --print native-static-libs --crate-type staticlib --crate-name nothing \
		--out-dir $(TARGET) - </dev/null 2>&1 | \
		sed -n 's/.*native-static-libs: //p' | sed 's/-lgcc_s *//' >$(TARGET)/native-static-libs
	@rm -f $(TARGET)/libnothing.a

run: build
	@cd c-examples && $(MAKE) TARGET=`cd .. && cd $(TARGET) && pwd` bin/echo
	@mkdir -p `dirname $(SOCKET)`; \
	echo; \
	echo "The echo server listens on $(SOCKET); Ctrl-C stops it."; \
	echo "Say hello to it from another terminal in this directory:"; \
	echo; \
	$(SAY_HOW); \
	echo; \
	exec c-examples/bin/echo -x -l $(SOCKET)

test:
	@sh tests/setup
	$(CARGO) build --release
	$(CARGO) test --workspace

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	@echo "include: is what is committed what build.rs writes?"
	@if git rev-parse --git-dir >/dev/null 2>&1; then git --no-pager diff --exit-code -- include; fi
	@$(LINT_HEADER)
	@echo "c-examples: without a warning"
	@$(LINT_EXAMPLES)
	@# Below warnings mandoc tells which other manuals this machine lacks.
	@if command -v mandoc >/dev/null; then \
		echo "mandoc -T lint man/*.3"; mandoc -T lint -W warning man/*.3; \
	else echo "lint: no mandoc: the manual is not checked"; fi
	sh -n tests/setup
	sh -n rc.d/dorrit
	sh -n .ci/run

install:
	@[ -f $(TARGET)/libdorrit.a ] && [ -f $(TARGET)/native-static-libs ] || $(MAKE) build
	@$(PLACES); set -ex; \
	$(INSTALL) -d "$$lib" "$$include" "$$man" "$$pc" "$$data" "$$rc" "$$examples"; \
	$(INSTALL) -m 755 "$$target/$$built" "$$lib/$$real"; \
	$$set_id; \
	for link in $$links; do ln -sf "$$real" "$$lib/$$link"; done; \
	$(INSTALL) -m 644 "$$target/libdorrit.a" "$$lib"; \
	$(INSTALL) -m 644 include/dorrit.h "$$include"; \
	sed -e "s|@PREFIX@|$(PREFIX)|" -e "s|@LIBDIR@|$(LIBDIR)|" -e "s|@INCLUDEDIR@|$(INCLUDEDIR)|" \
		-e "s|@VERSION@|$$version|" -e "s|@LIBS_PRIVATE@|`cat $$target/native-static-libs`|" \
		dorrit.pc.in >"$$pc/dorrit.pc"; \
	chmod 644 "$$pc/dorrit.pc"; \
	$(INSTALL) -m 644 man/*.3 "$$man"; \
	$(INSTALL) -m 644 rc.d/dorrit.service "$$data"; \
	$(INSTALL) -m 755 rc.d/dorrit "$$rc"; \
	$(INSTALL) -m 644 c-examples/Makefile c-examples/*.c "$$examples"; \
	$(TELL_LINKER)

uninstall:
	@$(PLACES); set -ex; \
	for name in $$real $$links libdorrit.a; do rm -f "$$lib/$$name"; done; \
	rm -f "$$include/dorrit.h" "$$pc/dorrit.pc" "$$data/dorrit.service" "$$rc/dorrit"; \
	for page in man/*.3; do rm -f "$$man/$${page##*/}"; done; \
	for file in c-examples/Makefile c-examples/*.c; do rm -f "$$examples/$${file##*/}"; done; \
	for ours in "$$examples" "$$data"; do [ ! -d "$$ours" ] || rmdir "$$ours"; done; \
	$(TELL_LINKER)

clean:
	$(CARGO) clean
	cd c-examples && $(MAKE) clean

# Fragments of shell, kept out of the targets for the sake of the reader.

TARGET = $${CARGO_TARGET_DIR:-target}/release

# What install and uninstall agree about.  On macOS a library carries the path
# by which programs will look for it.
PLACES = \
	version=`sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml`; \
	major=$${version%%.*}; \
	target=$(TARGET); \
	lib=$(DESTDIR)$(LIBDIR); \
	include=$(DESTDIR)$(INCLUDEDIR); \
	man=$(DESTDIR)$(MANDIR)/man3; \
	data=$(DESTDIR)$(DATADIR); \
	examples=$(DESTDIR)$(EXAMPLESDIR); \
	pc=$(LIBDIR)/pkgconfig; \
	rc=$(DATADIR); \
	built=libdorrit.so; \
	real=libdorrit.so.$$version; \
	links="libdorrit.so.$$major libdorrit.so"; \
	set_id=:; \
	case `uname -s` in \
	FreeBSD) \
		pc=$(PREFIX)/libdata/pkgconfig; \
		rc=$(PREFIX)/etc/rc.d ;; \
	Darwin) \
		built=libdorrit.dylib; \
		real=libdorrit.$$version.dylib; \
		links="libdorrit.$$major.dylib libdorrit.dylib"; \
		set_id="install_name_tool -id $(LIBDIR)/libdorrit.$$major.dylib $$lib/$$real" ;; \
	esac; \
	[ -z "$(PKGCONFIGDIR)" ] || pc=$(PKGCONFIGDIR); \
	[ -z "$(RCDIR)" ] || rc=$(RCDIR); \
	pc=$(DESTDIR)$$pc; \
	rc=$(DESTDIR)$$rc

# Linux finds a library by a cache, which only root can write and which knows
# nothing of a staging directory.
TELL_LINKER = \
	if [ `uname -s` = Linux ] && [ -z "$(DESTDIR)" ] && [ `id -u` -eq 0 ]; then \
		PATH=$$PATH:/sbin ldconfig; \
	fi

HEADER_FLAGS = -Iinclude -Wall -Wextra -Wpedantic -Werror -fsyntax-only

LINT_HEADER = \
	for cc in gcc clang; do \
		command -v $$cc >/dev/null || { echo "lint: no $$cc: the header is not compiled with it"; continue; }; \
		for std in c99 c11 c17 c++17; do \
			case $$std in c++*) language=c++ ;; *) language=c ;; esac; \
			echo "$$cc -std=$$std include/dorrit.h"; \
			echo '\#include <dorrit.h>' | $$cc -x $$language -std=$$std $(HEADER_FLAGS) - || exit 1; \
		done; \
	done

LINT_EXAMPLES = \
	for cc in gcc clang; do \
		command -v $$cc >/dev/null || continue; \
		for source in c-examples/*.c; do \
			$$cc -std=c99 $(HEADER_FLAGS) $$source && \
			$$cc -x c++ -std=c++17 $(HEADER_FLAGS) $$source || exit 1; \
		done; \
	done

# The second way needs no WebSocket client: it is a handshake and one masked
# frame, by hand.
SAY_HOW = \
	python=python3; \
	[ ! -x target/peers/venv/bin/python ] || python=target/peers/venv/bin/python; \
	[ $$python != python3 ] || echo "(after: pip install websockets)"; \
	echo "$$python -c '"; \
	echo "from websockets.sync.client import unix_connect"; \
	echo "with unix_connect(\"$(SOCKET)\") as server:"; \
	echo "    server.send(\"hello\")"; \
	echo "    print(server.recv())'"; \
	if command -v socat >/dev/null; then to="socat -t 1 - UNIX-CONNECT:$(SOCKET)"; else to="nc -U $(SOCKET)"; fi; \
	echo; \
	printf '%s' "printf 'GET / HTTP/1.1\\r\\nHost: localhost\\r\\n" \
		"Connection: Upgrade\\r\\nUpgrade: websocket\\r\\nSec-WebSocket-Version: 13\\r\\n" \
		"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\\r\\n\\r\\n\\201\\205\\0\\0\\0\\0hello' | $$to"; \
	echo
