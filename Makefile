# A thin wrapper around cargo, for GNU make and BSD make alike.
#
#	make		builds the libraries
#	make run	starts a chat, on PORT, and says where to open it and what to edit
#	make test	installs what the tests need, where it may, and runs them
#	make test-unprivileged	the tests of C programs as nobody, where root runs it
#	make fuzz	throws what libFuzzer makes up at the parsers and at the engine: each target for
#			SECONDS, by the compiler named TOOLCHAIN where that is given; see fuzz/run
#	make autobahn	the Autobahn testsuite, in a quarter of an hour; see tests/autobahn
#	make bench	measures against other libraries, in ten minutes; see bench/README.md
#	make screenshot	paints the picture of the chat in README anew
#	make lint	formatting, clippy, the headers, the manual, the scripts
#	make install	into PREFIX, below DESTDIR where that is given
#	make uninstall	removes what install has put there
#	make deb	the Debian packages, into target/deb; needs debhelper
#	make port	the FreeBSD port, into target/port, for a packager to complete
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

# Where make deb and make port leave what they make; what is there goes.
DEBDIR = $${CARGO_TARGET_DIR:-target}/deb
PORTDIR = $${CARGO_TARGET_DIR:-target}/port

CARGO = cargo
RUSTC = rustc
INSTALL = install

# How long `make fuzz` takes for each target, and by which compiler, as rustup calls it; a nightly has
# AddressSanitizer.
SECONDS = 60
TOOLCHAIN =

# Where the server of `make run` listens, on 127.0.0.1.
PORT = 8080

all: build

.PHONY: all build run test test-unprivileged fuzz autobahn bench screenshot lint install uninstall deb port clean

# The system libraries that a program must name when it links a static library of
# ours, as rustc knows them for this system, are noted for pkg-config: install may
# be run by a root who has no Rust.  -lgcc_s is left out: the compiler adds it, or its
# static twin, by itself.
build:
	$(CARGO) build --release
	@$(RUSTC) --print native-static-libs --crate-type staticlib --crate-name nothing \
		--out-dir $(TARGET) - </dev/null 2>&1 | \
		sed -n 's/.*native-static-libs: //p' | sed 's/-lgcc_s *//' >$(TARGET)/native-static-libs.new
	@mv $(TARGET)/native-static-libs.new $(TARGET)/native-static-libs
	@rm -f $(TARGET)/libnothing.a

run: build
	@target=`cd $(TARGET) && pwd` && cd c-examples && \
		exec $(MAKE) -s TARGET="$$target" PORT=$(PORT) HERE=c-examples/ run

test:
	@sh tests/setup
	$(CARGO) build --release
	$(CARGO) test --workspace
	@# Once more as they are installed: a compiler that optimises can be wrong, too.
	$(CARGO) test --release -p dorrit-proto -p dorrit-engine

test-unprivileged: build
	@CARGO="$(CARGO)" sh tests/unprivileged

fuzz:
	@CARGO="$(CARGO)" TOOLCHAIN="$(TOOLCHAIN)" fuzz/run $(SECONDS)

autobahn: build
	@sh tests/autobahn

bench:
	@bench/run

screenshot: build
	$(CARGO) test --test c_programs browser::picture -- --ignored

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	@CARGO="$(CARGO)" fuzz/run lint
	@echo "include: is what is committed what build.rs writes?"
	@if git rev-parse --git-dir >/dev/null 2>&1; then git --no-pager diff --exit-code -- include; fi
	@$(LINT_HEADER)
	@echo "c-examples: without a warning"
	@$(LINT_EXAMPLES)
	@$(LINT_CXX)
	@# Below warnings mandoc tells which other manuals this machine lacks.
	@if command -v mandoc >/dev/null; then \
		echo "mandoc -T lint man/*.3"; mandoc -T lint -W warning man/*.3; \
	else echo "lint: no mandoc: the manual is not checked"; fi
	sh -n fuzz/run
	sh -n tests/setup
	sh -n tests/autobahn
	sh -n tests/unprivileged
	sh -n tests/systemd/boot
	sh -n tests/rc_d/rc.subr
	sh -n rc.d/dorrit
	sh -n .ci/run
	sh -n packaging/debian/build
	sh -n packaging/debian/crates
	sh -n packaging/freebsd/build

install:
	@for file in libdorrit.a libdorrit_classic.a native-static-libs; do \
		[ -f $(TARGET)/$$file ] || exec $(MAKE) build; \
	done
	@$(PLACES); set -ex; \
	$(INSTALL) -d "$$lib" "$$include" "$$man" "$$pc" "$$data" "$$rc" "$$examples" \
		"$$lib/dorrit-classic" "$$include/dorrit-classic" "$$examples/classic" \
		"$$examples/chat" "$$examples/rest" "$$examples/auth" "$$examples/terminal" \
		"$$examples/ctypes" "$$examples/proxies"; \
	for name in $$libraries; do \
		names $$name; \
		$(INSTALL) -m 755 "$$target/$$built" "$$lib/$$real"; \
		[ $$system != Darwin ] || install_name_tool -id "$(LIBDIR)/$$soname" "$$lib/$$real"; \
		for link in $$soname $$plain; do ln -sf $$real "$$lib/$$link"; done; \
		$(INSTALL) -m 644 "$$target/$$archive" "$$lib/lib$$name.a"; \
		sed -e "s|@PREFIX@|$(PREFIX)|" -e "s|@LIBDIR@|$(LIBDIR)|" \
			-e "s|@INCLUDEDIR@|$(INCLUDEDIR)|" -e "s|@VERSION@|$$version|" \
			-e "s|@LIBS_PRIVATE@|`cat $$target/native-static-libs`|" $$name.pc.in >"$$pc/$$name.pc"; \
		chmod 644 "$$pc/$$name.pc"; \
	done; \
	ln -sf ../$$plain "$$lib/dorrit-classic/$$old"; \
	ln -sf ../libdorrit-classic.a "$$lib/dorrit-classic/libdorrit.a"; \
	$(INSTALL) -m 644 include/dorrit.h c-examples/dorrit.hpp "$$include"; \
	$(INSTALL) -m 644 include/classic/dorrit.h "$$include/dorrit-classic"; \
	$(INSTALL) -m 644 man/*.3 "$$man"; \
	for link in $$manlinks; do ln -sf "$${link#*:}.3" "$$man/$${link%%:*}.3"; done; \
	$(INSTALL) -m 644 rc.d/dorrit.service rc.d/dorrit.socket "$$data"; \
	$(INSTALL) -m 755 rc.d/dorrit "$$rc"; \
	$(INSTALL) -m 644 c-examples/Makefile c-examples/*.c c-examples/*.cc "$$examples"; \
	$(INSTALL) -m 644 c-examples/classic/*.c "$$examples/classic"; \
	$(INSTALL) -m 644 c-examples/ctypes/*.py "$$examples/ctypes"; \
	for page in chat rest auth terminal; do \
		$(INSTALL) -m 644 c-examples/$$page/index.html "$$examples/$$page"; \
	done; \
	$(INSTALL) -m 644 c-examples/proxies/* "$$examples/proxies"; \
	$(TELL_LINKER)

uninstall:
	@$(PLACES); set -ex; \
	for name in $$libraries; do \
		names $$name; \
		for file in $$real $$soname $$plain lib$$name.a; do rm -f "$$lib/$$file"; done; \
		rm -f "$$pc/$$name.pc"; \
	done; \
	rm -f "$$lib/dorrit-classic/$$old" "$$lib/dorrit-classic/libdorrit.a"; \
	rm -f "$$include/dorrit.h" "$$include/dorrit.hpp" "$$include/dorrit-classic/dorrit.h"; \
	rm -f "$$data/dorrit.service" "$$data/dorrit.socket" "$$rc/dorrit"; \
	for page in man/*.3; do rm -f "$$man/$${page##*/}"; done; \
	for link in $$manlinks; do rm -f "$$man/$${link%%:*}.3"; done; \
	for file in c-examples/Makefile c-examples/*.c c-examples/*.cc c-examples/classic/*.c \
		c-examples/*/index.html c-examples/ctypes/*.py c-examples/proxies/*; do \
		rm -f "$$examples/$${file#c-examples/}"; \
	done; \
	for ours in "$$lib/dorrit-classic" "$$include/dorrit-classic" "$$examples/classic" \
		"$$examples/chat" "$$examples/rest" "$$examples/auth" "$$examples/terminal" \
		"$$examples/ctypes" "$$examples/proxies" "$$examples" "$$data"; do \
		[ ! -d "$$ours" ] || rmdir "$$ours"; \
	done; \
	$(TELL_LINKER)

deb: build
	@CARGO="$(CARGO)" TARGET="$(TARGET)" sh packaging/debian/build "$(DEBDIR)"

port:
	@CLASSIC_ABI=$(CLASSIC_ABI) sh packaging/freebsd/build "$(PORTDIR)"

clean:
	$(CARGO) clean
	cd c-examples && $(MAKE) clean

# Fragments of shell, kept out of the targets for the sake of the reader.

TARGET = $${CARGO_TARGET_DIR:-target}/release

# The number of libdorrit(8)'s interface, as build.rs has it: its signatures are
# settled, and the number does not rise with the version.
CLASSIC_ABI = 1

# What install and uninstall agree about.  names says what the files of a library
# are called, as cargo makes them and as they are installed; the last one named is
# the one to which lib/dorrit-classic leads.  On macOS a library carries the path
# by which programs will look for it.  manlinks are the names, as NAME:PAGE, by which
# man(1) finds a page besides its own: those of its functions.
PLACES = \
	version=`sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml`; \
	system=`uname -s`; \
	target=$(TARGET); \
	lib=$(DESTDIR)$(LIBDIR); \
	include=$(DESTDIR)$(INCLUDEDIR); \
	man=$(DESTDIR)$(MANDIR)/man3; \
	manlinks="dorrit:libdorrit dorrit-classic:libdorrit-classic `awk '\
		FNR == 1 { page = FILENAME; gsub(/.*\/|\.3$$/, "", page) } \
		/^\.Nm ws_/ && $$2 != page { print $$2 ":" page }' man/libdorrit.3 man/ws_*.3`"; \
	data=$(DESTDIR)$(DATADIR); \
	examples=$(DESTDIR)$(EXAMPLESDIR); \
	pc=$(LIBDIR)/pkgconfig; \
	rc=$(DATADIR); \
	libraries="dorrit dorrit-classic"; \
	names() { \
		case $$1 in \
		dorrit) cargos=libdorrit abi=$${version%%.*} full=$$version ;; \
		dorrit-classic) cargos=libdorrit_classic abi=$(CLASSIC_ABI) full=$(CLASSIC_ABI).$$version ;; \
		esac; \
		archive=$$cargos.a; \
		case $$system in \
		Darwin) \
			built=$$cargos.dylib real=lib$$1.$$full.dylib soname=lib$$1.$$abi.dylib; \
			plain=lib$$1.dylib old=libdorrit.dylib ;; \
		*) \
			built=$$cargos.so real=lib$$1.so.$$full soname=lib$$1.so.$$abi; \
			plain=lib$$1.so old=libdorrit.so ;; \
		esac; \
	}; \
	case $$system in \
	FreeBSD) \
		pc=$(PREFIX)/libdata/pkgconfig; \
		rc=$(PREFIX)/etc/rc.d ;; \
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

C_FLAGS = -Wall -Wextra -Wpedantic -Werror -fsyntax-only

LINT_HEADER = \
	for cc in gcc clang; do \
		command -v $$cc >/dev/null || { echo "lint: no $$cc: the headers are not compiled with it"; continue; }; \
		for include in include include/classic; do \
			for std in c89 gnu89 c99 c11 c17 c++17; do \
				case $$std in c++*) language=c++ ;; *) language=c ;; esac; \
				case $$std in *89) more=-Wno-long-long ;; *) more= ;; esac; \
				echo "$$cc -std=$$std $$include/dorrit.h"; \
				echo '\#include <dorrit.h>' | \
					$$cc -x $$language -std=$$std -I$$include $(C_FLAGS) $$more - || exit 1; \
			done; \
		done; \
	done

LINT_EXAMPLES = \
	for cc in gcc clang; do \
		command -v $$cc >/dev/null || continue; \
		for source in c-examples/*.c c-examples/classic/*.c; do \
			case $$source in */classic/*) include=include/classic ;; *) include=include ;; esac; \
			more=; \
			case $$source in \
			*/loop_glib.c) more=`pkg-config --cflags glib-2.0 2>/dev/null` ;; \
			*/loop_uv.c) more=`pkg-config --cflags libuv 2>/dev/null` ;; \
			*/database.c) more=`pkg-config --cflags sqlite3 2>/dev/null` ;; \
			esac; \
			case $$source in */loop_* | */database.c) \
				$$cc -E -I$$include $$more $$source >/dev/null 2>&1 || \
					{ echo "lint: $$source is left out: its library is not there"; continue; } ;; \
			esac; \
			$$cc -std=c99 -I$$include $$more $(C_FLAGS) $$source && \
			$$cc -x c++ -std=c++17 -I$$include $$more $(C_FLAGS) $$source || exit 1; \
		done; \
	done

LINT_CXX = \
	for cxx in g++ clang++; do \
		command -v $$cxx >/dev/null || continue; \
		$$cxx -std=c++17 -Iinclude -Ic-examples -Wshadow $(C_FLAGS) c-examples/*.cc || exit 1; \
	done
