# Stillframe: the only build file.  `make help` names the targets.
#
# Flavours, each with a directory of its own below build/:
#   release (build/)  debug  asan  tsan  barrier  steps  hard  shared  fuzz  coverage
#   plain: release without TLS and the sandbox, for OSv
#   aarch64: release, and aarch64-debug: debug, for a processor of that kind (make check-aarch64)

FLAVOUR ?= release
PREFIX  ?= /usr/local
DESTDIR ?=
ifeq ($(origin CC),default)
CC := $(if $(filter fuzz,$(FLAVOUR)),clang,$(if $(filter aarch64%,$(FLAVOUR)),aarch64-linux-gnu-)gcc)
endif
# What is compiled for another processor finds headers and libraries here.
SYSROOT_aarch64 := build/sysroot-arm64
SYSROOT := $(if $(filter aarch64%,$(FLAVOUR)),$(SYSROOT_aarch64))
PORT    ?= 6379
# With OpenSSL; what is for OSv does without.
TLS     ?= yes
override TLS := $(if $(filter shared plain,$(FLAVOUR)),no,$(TLS))
$(if $(filter yes no,$(TLS)),,$(error TLS=$(TLS): yes or no it must be))
# With libseccomp, for the sandbox; what is for OSv does without, and what runs under a tool that
# makes processes of its own.
SECCOMP ?= yes
override SECCOMP := $(if $(filter shared plain asan tsan barrier steps hard fuzz coverage,$(FLAVOUR)),no,$(SECCOMP))
$(if $(filter yes no,$(SECCOMP)),,$(error SECCOMP=$(SECCOMP): yes or no it must be))

PACKAGES := gcc make pkg-config libc6-dev liburcu-dev libxxhash-dev liblz4-dev zlib1g-dev libzstd-dev nettle-dev liblua5.1-0-dev lua-cjson-dev lua-bitop-dev $(if $(filter yes,$(TLS)),libssl-dev) $(if $(filter yes,$(SECCOMP)),libseccomp-dev)
TEST_PACKAGES := check openssl lz4 liblzf-dev libsubunit-dev redis-tools python3 libseccomp-dev libhiredis-dev spin python3-redis python3-rq python3-celery python3-django-redis python3-flask-limiter ruby-sidekiq groff-base fish zsh zstd chromium runsc user-mode-linux prometheus-redis-exporter
NODE_PACKAGES := $(if $(shell command -v node),,nodejs) $(if $(shell command -v npm),,npm)
OSV_PACKAGES := python3 binutils qemu-system-x86 qemu-utils e2fsprogs
MACHINE_PACKAGES := gcc-aarch64-linux-gnu qemu-user
SYSROOT_PACKAGES := libc6-dev check libsubunit-dev liblzf-dev $(filter-out gcc make pkg-config libc6-dev,$(PACKAGES))
DEB_PACKAGES := debhelper dpkg-dev lintian debootstrap
COVERAGE_PACKAGES := check liblzf-dev libsubunit-dev python3 openssl redis-tools gcovr
MEMCHECK_PACKAGES := valgrind
LINT_PACKAGES := clang-format clang-tidy cppcheck

WARNINGS := -Wall -Wextra -Werror -Wcast-qual -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wwrite-strings -Wvla -Wundef
# What makes a mistake in the code harder to use: release has it, what is for OSv does without.
# Marks for the processor's control-flow checks count only where libc has them too.
MARKS    := $(if $(filter release,$(FLAVOUR)),$(if $(shell readelf -n "$$($(CC) -print-file-name=crt1.o)" 2>/dev/null | grep SHSTK),-fcf-protection=full))
HARDENED := -fstack-protector-strong -fstack-clash-protection -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
CFLAGS_release := -O3 -fno-plt -fPIE $(HARDENED) $(MARKS)
# Marks for jump targets, and signed return addresses; processors without take them for no-ops.
CFLAGS_aarch64 := -O3 -fno-plt -fPIE $(HARDENED) -mbranch-protection=standard
CFLAGS_plain   := -O3 -fno-plt -fPIE
CFLAGS_debug   := -Og -fPIE -DXXH_NO_INLINE_HINTS=1 -DSTILLFRAME_DEBUG -DSTILLFRAME_FAULTS
CFLAGS_aarch64-debug := $(CFLAGS_debug)
CFLAGS_asan    := -O1 -fPIE -fsanitize=address,undefined -fno-sanitize-recover=all -DSTILLFRAME_DEBUG -DSTILLFRAME_FAULTS
CFLAGS_tsan    := -O1 -fPIE -fsanitize=thread -Wno-tsan -DSTILLFRAME_DEBUG -DSTILLFRAME_FAULTS
CFLAGS_barrier := -O1 -fPIE -DSTILLFRAME_BARRIER -DSTILLFRAME_DEBUG -DSTILLFRAME_FAULTS -DMM_PAGE_SHIFT=12
CFLAGS_steps   := -O1 -fPIE -DSTILLFRAME_STEPS -DMM_PAGE_SHIFT=14 -DSTILLFRAME_DEBUG -DSTILLFRAME_FAULTS
CFLAGS_hard    := -O1 -fPIE -DSTILLFRAME_SITES -DSTILLFRAME_DEBUG -DSTILLFRAME_FAULTS
# As it stands: what is merged, moved or put in place of a call (always_inline, too) is no branch of
# the text any more.
CFLAGS_coverage := -O0 -fPIE -fprofile-arcs -ftest-coverage -fprofile-update=atomic -Dalways_inline=unused -DSTILLFRAME_FAULTS
CFLAGS_shared  := -O3 -fPIC -DSTILLFRAME_SHARED
CFLAGS_fuzz    := -O1 -fPIE -Wno-cast-qual -Wno-gnu-variable-sized-type-not-at-end -Wno-missing-field-initializers -Wno-unknown-attributes -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -DSTILLFRAME_DEBUG -DSTILLFRAME_FAULTS
# The page sizes that the benchmark compares.
$(foreach n,9 10 11 12,$(eval CFLAGS_page$(n) := -O3 -fno-plt -fPIE -DMM_PAGE_SHIFT=$(n))$(eval LDFLAGS_page$(n) := -pie))
LDFLAGS_release := -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code
LDFLAGS_aarch64 := $(LDFLAGS_release)
LDFLAGS_plain   := -pie
LDFLAGS_debug   := -pie
LDFLAGS_aarch64-debug := -pie
LDFLAGS_asan    := -pie -fsanitize=address,undefined
LDFLAGS_tsan    := -pie -fsanitize=thread
LDFLAGS_barrier := -pie -rdynamic
LDFLAGS_steps   := -pie
LDFLAGS_hard    := -pie
LDFLAGS_coverage := -pie --coverage
LDFLAGS_fuzz    := -pie -fsanitize=fuzzer,address,undefined
ifeq ($(origin CFLAGS_$(FLAVOUR)),undefined)
$(error no flavour "$(FLAVOUR)": see make help)
endif

B   := build$(if $(filter-out release,$(FLAVOUR)),/$(FLAVOUR))
# Lines without variables where a build is for its reports: it compiles faster and links to less
# than half the size.
DEBUG_INFO := $(if $(filter asan tsan barrier steps hard,$(FLAVOUR)),-g1,-g)
# No a*b+c in one rounding, which some processors have: distances and sums are the same on all.
ALL_CFLAGS  = $(SYSROOT:%=--sysroot=%) -std=gnu11 -ffp-contract=off $(DEBUG_INFO) -D_GNU_SOURCE -I. -include mm/base/machine.h -isystem $(LUA_INCLUDE) -fvisibility=hidden -pthread -MMD -MP $(WARNINGS) $(if $(filter yes,$(TLS)),-DSTILLFRAME_TLS) $(if $(filter yes,$(SECCOMP)),-DSTILLFRAME_SECCOMP) $(CFLAGS_$(FLAVOUR)) $(EXTRA_CFLAGS) $(CFLAGS)
# memmove() is ours where the system's is wrong (mm/base/move.h), and calls of the allocator go
# through mm/base/room_malloc.c.
WRAPS       := $(foreach f,memmove malloc calloc realloc aligned_alloc,-Wl,--wrap=$(f))
ALL_LDFLAGS = $(SYSROOT:%=--sysroot=%) -pthread $(WRAPS) $(LDFLAGS_$(FLAVOUR)) $(LDFLAGS)
CORE_LIBS   := -lurcu-qsbr -lurcu-common -llz4
# Lua and its libraries are linked in; but Debian's archives are no code for a shared object.
LUA_INCLUDE := $(SYSROOT)/usr/include/lua5.1
LUA_LIBS    := lua5.1-cjson lua5.1-bitop lua5.1
# exit() is for lua_json.c to look at.
SERVER_LIBS := -Wl,--wrap=exit -lnettle $(if $(filter shared,$(FLAVOUR)),$(LUA_LIBS:%=-l%),$(LUA_LIBS:%=-l:lib%.a)) -lm $(if $(filter yes,$(TLS)),-lssl -lcrypto) $(if $(filter yes,$(SECCOMP)),-lseccomp)
TOOL_LIBS   := -lz -lzstd -lm
TEST_LIBS   := -llzf -lcheck -lsubunit -lm -lrt

# $(call show,CC) before a command: one short line instead of it, none with -s, the whole command
# with V=1.
show = $(if $(filter-out 0,$(V)),,@$(if $(findstring s,$(firstword -$(MAKEFLAGS))),,printf '  %-3s %s\n' $(1) $@;))

MM_SRC       := $(wildcard mm/*.c mm/base/*.c)
SNAPSHOT_SRC := $(wildcard snapshot/*.c snapshot/rdb/*.c)
TOOL_SRC     := $(filter-out tool/main.c,$(wildcard tool/*.c tool/*/*.c))
SERVER_SRC   := $(filter-out server/main.c,$(wildcard server/*.c server/*/*.c server/*/*/*.c))
TLS_NONE     := server/net/tls/tls_none.c
SERVER_SRC   := $(filter-out $(if $(filter yes,$(TLS)),$(TLS_NONE),$(filter-out $(TLS_NONE),$(wildcard server/net/tls/*.c))),$(SERVER_SRC))
SERVER_SRC   := $(filter-out server/process/$(if $(filter yes,$(SECCOMP)),sandbox_none.c,sandbox.c),$(SERVER_SRC))
SUPPORT_SRC  := $(wildcard tests/support/*.c)
TEST_SRC     := $(wildcard tests/mm/test_*.c tests/snapshot/test_*.c tests/tool/test_*.c tests/server/test_*.c tests/fault/test_*.c)
ifneq ($(FLAVOUR),steps) # the step scheduler needs its points compiled in
TEST_SRC     := $(filter-out tests/server/test_steps.c,$(TEST_SRC))
endif
BENCH_SRC    := $(wildcard tests/bench/bench_*.c)
obj = $(patsubst %.c,$(B)/obj/%.o,$(1))

MM_OBJ       := $(call obj,$(MM_SRC))
SNAPSHOT_OBJ := $(call obj,$(SNAPSHOT_SRC))
SERVER_OBJ   := $(call obj,$(SERVER_SRC))
TOOL_OBJ     := $(call obj,$(TOOL_SRC))
SUPPORT_OBJ  := $(call obj,$(SUPPORT_SRC))
TESTS        := $(patsubst %.c,$(B)/%,$(TEST_SRC))
BENCHES      := $(patsubst %.c,$(B)/%,$(BENCH_SRC))

all: $(B)/stillframe-server $(B)/stillframe-rdb

help:
	@sed -n 's/^## //p' Makefile

## make                build build/stillframe-server and build/stillframe-rdb (V=1 shows the whole
##                     commands; TLS=no: without OpenSSL, so without the parameters tls-*;
##                     SECCOMP=no: without libseccomp, so without the sandbox)
## make run            install what is missing, build, start the server (ARGS="--port 7000")
run: | packages
	@$(MAKE) --no-print-directory -j2 all
	build/stillframe-server $(ARGS)

## make check          install what is missing, build, pass the tests in every flavour (about 25
##                     minutes on two processors)
check: | packages test-packages
	OSV="$(OSV)" tests/run.sh all
## make quick          the release tests alone, without installing anything
quick:
	tests/run.sh release
## make asan           the tests under AddressSanitizer and UBSan; also: make tsan, make barrier
##                     (the barrier sanitizer), make steps (the step scheduler)
asan tsan barrier steps:
	tests/run.sh $@
## make check-hard     take out each write barrier, then break the core in each way of
##                     tests/hard/mutants.txt; a named test must notice
check-hard:
	HARD_STEPS=1 tests/hard/run.sh
	tests/hard/mutants.py --long
## make check-long     a million random commands on both servers, keys of ten million elements,
##                     oracles and steps in full (about an hour)
check-long:
	$(call install_packages,$(MEMCHECK_PACKAGES))
	tests/run.sh long
## make check-memcheck fail every call of a server under valgrind: no memory is misused or lost
##                     (part of check-long)
check-memcheck: | packages test-packages
	$(call install_packages,$(MEMCHECK_PACKAGES))
	tests/run.sh memcheck
## make check-fault    fail every step of a save in turn
check-fault:
	tests/run.sh fault
## make coverage       which lines and branches the tests execute: figures by folder, pages in
##                     build/coverage/html/; each branch of mm/ and snapshot/ that is not taken has
##                     to have its reason in tests/coverage/untaken.txt (an hour)
coverage: | packages
	$(call install_packages,$(COVERAGE_PACKAGES))
	tests/run.sh coverage
## make model          check the concurrency model and its wrong variants with spin
model:
	tests/model/run.sh
## make lint           floors, texts, format, cppcheck, clang-tidy: zero findings
lint:
	tests/lint/run.sh
## make bench          the figures of docs/benchmarks.md: page-size sweep commands stall save cpu
##                     load loop fan-out memory instructions; and if BENCH="..." names them, types
##                     zset sets huge hit-ratio floor growth keyspace steady memory-limit strings
##                     rdb tracking scripts acl tls, and osv (OSV=/path/to/a/built/osv), beside
##                     redis-server there; over two hours in all (SAVE="--quick", or other options
##                     of tests/bench/save.py)
bench: all
	OSV="$(OSV)" tests/bench/run.sh $(BENCH)
## make soak           an hour (MINUTES=60) of all commands beside redis-server, saves, restarts
##                     and clients that come and go: memory, descriptors and latency stay flat;
##                     SOAK=week: a week's saves, clients and evictions in some minutes;
##                     SOAK=snapshots: thousands of snapshots, everything else meanwhile;
##                     SOAK=kills: KILLS=1000 kill -9 in a save
SOAK ?= soak
soak: all
	python3 tests/soak/$(SOAK).py
## make check-aarch64  build for aarch64 and pass the unit tests and the life of a server there, as
##                     qemu-user has it; make check has the short ones
check-aarch64: | packages test-packages
	MACHINES_LONG=1 tests/run.sh machines
## make docs-commands  write docs/commands.md from the command table
docs-commands: all
	python3 tests/integration/command_docs.py
## make fuzz           fuzz the parsers, the decoders, RESTORE, scripts and the tool
##                     (SECONDS_EACH=600; FUZZ="rdb resp config acl restore tool scripts")
fuzz:
	tests/fuzz/run.sh $(SECONDS_EACH)
## make shared         build/shared/stillframe.so, a server whose main a loader calls (docs/osv.md)
shared:
	@$(MAKE) --no-print-directory FLAVOUR=shared build/shared/stillframe.so
## make osv-image      build/osv/stillframe.qcow2, an image that boots into the server on OSv
##                     (OSV=/path/to/a/built/osv, OSV_ARGS="--requirepass secret", DATA_MB=512,
##                     OSV_DATA=directory, FORM=pie|shared; docs/osv.md)
# A tree that lies beside this one is found.
OSV      ?= $(patsubst %/build/last/loader.img,%,$(firstword $(wildcard ../osv/build/last/loader.img ../*/osv/build/last/loader.img)))
OSV_ARGS ?=
OSV_DATA ?=
DATA_MB  ?= 512
FORM     ?= pie
OSV_IMAGE ?= build/osv/stillframe.qcow2
OSV_PROGRAM_pie := build/plain/stillframe-server
OSV_PROGRAM_shared := build/shared/stillframe.so
OSV_MAKE_IMAGE = osv/image.py --osv "$(OSV)" --out $(OSV_IMAGE) --format $(if $(filter %.raw %.img,$(OSV_IMAGE)),raw,qcow2) \
                 --data-mb "$(DATA_MB)" $(if $(OSV_DATA),--data "$(OSV_DATA)") --server-words OSV_WORDS
# What was said of the image, which may be there already.
OSV_SAID = $(strip $(foreach v,OSV_ARGS OSV_DATA DATA_MB FORM,$(if $(filter command environment,$(origin $v)),$v)))
# As they were given: a dollar sign in a password is one.
export OSV_WORDS := $(value OSV_ARGS)
osv-image: | packages osv-packages
	@$(if $(OSV_PROGRAM_$(FORM)),,echo "FORM must be pie or shared, not $(FORM)"; exit 2)
	@$(OSV_MAKE_IMAGE) --look $(OSV_PROGRAM_$(FORM))
	@$(MAKE) --no-print-directory -j2 $(if $(filter shared,$(FORM)),shared,FLAVOUR=plain $(OSV_PROGRAM_pie))
	@$(OSV_MAKE_IMAGE) $(OSV_PROGRAM_$(FORM))
## make osv-run        boot it under QEMU, its port forwarded from 127.0.0.1 (PORT=6379, MEM=1G,
##                     SMP=1, ACCEL=auto|kvm|tcg)
MEM   ?= 1G
SMP   ?= 1
ACCEL ?= auto
osv-run: | osv-packages
	@[ -f $(OSV_IMAGE) ] $(if $(OSV_SAID),&& false) || $(MAKE) --no-print-directory osv-image
	@osv/qemu.py $(OSV_IMAGE) --port $(PORT) --memory $(MEM) --smp $(SMP) --accel $(ACCEL)
## make check-osv      the tests on OSv, all of them (OSV=...; make check has the short ones)
check-osv: | packages test-packages
	@OSV="$(OSV)" OSV_LONG=1 tests/run.sh osv
## make install        copy programs, documents, man pages, completions, the systemd unit and, if
##                     there is none yet, the configuration below DESTDIR (PREFIX=/usr/local;
##                     SYSCONFDIR=PREFIX/etc, /etc for /usr)
SYSCONFDIR ?= $(if $(filter /usr,$(PREFIX)),/etc,$(PREFIX)/etc)
SHARE = $(DESTDIR)$(PREFIX)/share
CONF  = $(SYSCONFDIR)/stillframe
NAMES = $(shell grep -E '^(TLS_|SANDBOX_)?OPTION' server/config/config.def | cut -d'"' -f2 | sed 's/^/--/')
install: all
	install -D -m 755 build/stillframe-server $(DESTDIR)$(PREFIX)/bin/stillframe-server
	install -D -m 755 build/stillframe-rdb $(DESTDIR)$(PREFIX)/bin/stillframe-rdb
	install -d $(addprefix $(SHARE)/,man/man1 bash-completion/completions zsh/site-functions fish/vendor_completions.d)
	build/stillframe-rdb manual >$(SHARE)/man/man1/stillframe-rdb.1
	build/stillframe-rdb completion bash >$(SHARE)/bash-completion/completions/stillframe-rdb
	build/stillframe-rdb completion zsh >$(SHARE)/zsh/site-functions/_stillframe-rdb
	build/stillframe-rdb completion fish >$(SHARE)/fish/vendor_completions.d/stillframe-rdb.fish
	sed 's|/etc/stillframe/|$(CONF)/|' server/dist/stillframe-server.1 >$(SHARE)/man/man1/stillframe-server.1
	sed 's|@NAMES@|$(NAMES)|' server/dist/completion.bash.in >$(SHARE)/bash-completion/completions/stillframe-server
	sed 's|@NAMES@|$(NAMES)|' server/dist/completion.zsh.in >$(SHARE)/zsh/site-functions/_stillframe-server
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system $(DESTDIR)$(CONF)
	sed 's|@BIN@|$(PREFIX)/bin|; s|@CONF@|$(CONF)|g' server/dist/stillframe-server.service.in >$(DESTDIR)$(PREFIX)/lib/systemd/system/stillframe-server.service
	install -D -m 644 server/dist/stillframe.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/stillframe.conf
# What a service needs that is not the default: a directory, and nobody else's connections.
	[ -e $(DESTDIR)$(CONF)/stillframe.conf ] || sed 's|^# dir ""$$|dir /var/lib/stillframe|; s|^# bind .*|bind 127.0.0.1 -::1|' \
	    server/dist/stillframe.conf >$(DESTDIR)$(CONF)/stillframe.conf
	install -D -m 644 README.md $(SHARE)/doc/stillframe/README.md
	install -m 644 docs/*.md server/dist/stillframe.conf $(SHARE)/doc/stillframe/
	install -D -m 644 -t $(SHARE)/doc/stillframe/plots docs/plots/*.svg
	install -D -m 644 -t $(SHARE)/doc/stillframe/dashboard docs/dashboard/stillframe.html
## make deb            build/deb/: Debian packages, stillframe-server and stillframe-tools
deb: | packages deb-packages
	rm -rf build/deb
	mkdir -p build/deb/stillframe
	tar -c --exclude=./build --exclude=./.git . | tar -x -C build/deb/stillframe
	cd build/deb/stillframe && DEB_BUILD_OPTIONS="parallel=2 $$DEB_BUILD_OPTIONS" dpkg-buildpackage -us -uc -b
## make check-deb      lintian, and the packages' life in a chroot of their own: install, upgrade
##                     with data, remove, purge (as root, with Debian's archive; five minutes)
check-deb: deb
	tests/packages/run.sh

$(B)/stillframe.so: $(MM_OBJ) $(SNAPSHOT_OBJ) $(SERVER_OBJ) $(call obj,server/main.c)
	$(call show,LD)$(CC) $(ALL_LDFLAGS) -shared -Wl,-z,defs -o $@ $^ $(CORE_LIBS) $(SERVER_LIBS)
$(B)/stillframe-server: $(MM_OBJ) $(SNAPSHOT_OBJ) $(SERVER_OBJ) $(call obj,server/main.c $(if $(filter coverage,$(FLAVOUR)),tests/coverage/counts.c))
	$(call show,LD)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(CORE_LIBS) $(SERVER_LIBS)
$(B)/stillframe-rdb: $(MM_OBJ) $(SNAPSHOT_OBJ) $(TOOL_OBJ) $(call obj,tool/main.c)
	$(call show,LD)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(CORE_LIBS) $(TOOL_LIBS)
# With TLS and the sandbox or without: what was built the other way is built anew.
$(B)/.tls-$(TLS)-seccomp-$(SECCOMP):
	@mkdir -p $(@D)
	@rm -f $(B)/.tls-*
	@touch $@
$(B)/obj/%.o: %.c $(B)/.tls-$(TLS)-seccomp-$(SECCOMP)
	@mkdir -p $(@D)
	$(call show,CC)$(CC) $(ALL_CFLAGS) -c -o $@ $<
# Nothing is counted there: its calls of the allocator are jumps, so that test_calls.py sees who
# calls.
ifeq ($(FLAVOUR),coverage)
$(B)/obj/mm/base/room_malloc.o: EXTRA_CFLAGS += -O2 -fno-profile-arcs -fno-test-coverage
endif
# What page.c takes in.
$(B)/obj/tool/report/page.o: tool/report/report.html tool/report/report.css tool/report/report.js
# What a test links follows the one-way order: tests of mm/ see mm/ alone.
$(B)/tests/mm/%: $(B)/obj/tests/mm/%.o $(MM_OBJ)
	@mkdir -p $(@D)
	$(call show,LD)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(TEST_LIBS)
$(B)/tests/snapshot/%: $(B)/obj/tests/snapshot/%.o $(MM_OBJ) $(SNAPSHOT_OBJ)
	@mkdir -p $(@D)
	$(call show,LD)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(CORE_LIBS) $(TEST_LIBS)
$(B)/tests/tool/%: $(B)/obj/tests/tool/%.o $(MM_OBJ) $(SNAPSHOT_OBJ) $(TOOL_OBJ)
	@mkdir -p $(@D)
	$(call show,LD)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(CORE_LIBS) $(TOOL_LIBS) $(TEST_LIBS)
$(B)/tests/fuzz/fuzz_tool: $(B)/obj/tests/fuzz/fuzz_tool.o $(MM_OBJ) $(SNAPSHOT_OBJ) $(TOOL_OBJ)
	@mkdir -p $(@D)
	$(call show,LD)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(CORE_LIBS) $(TOOL_LIBS)
$(B)/tests/%: $(B)/obj/tests/%.o $(SUPPORT_OBJ) $(MM_OBJ) $(SNAPSHOT_OBJ) $(SERVER_OBJ)
	@mkdir -p $(@D)
	$(call show,LD)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(CORE_LIBS) $(SERVER_LIBS) $(TEST_LIBS)
# Helpers of the integration tests.
$(B)/tests/integration/seccomp_preload.so: tests/integration/seccomp_preload.c
	@mkdir -p $(@D)
	$(call show,LD)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARNINGS) -O1 -fPIC -shared -o $@ $< -lseccomp
$(B)/tests/integration/syscalls_preload.so: tests/integration/syscalls_preload.c
	@mkdir -p $(@D)
	$(call show,LD)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARNINGS) -O1 -fPIC -shared -o $@ $< -lseccomp
$(B)/tests/crash/record_preload.so: tests/crash/record_preload.c
	@mkdir -p $(@D)
	$(call show,LD)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARNINGS) -O1 -fPIC -shared -o $@ $<
$(B)/tests/integration/sandbox_preload.so: tests/integration/sandbox_preload.c
	@mkdir -p $(@D)
	$(call show,LD)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARNINGS) -O1 -fPIC -shared -o $@ $< -pthread
$(B)/tests/fault/call_preload.so: tests/fault/call_preload.c tests/fault/calls.def
	@mkdir -p $(@D)
	$(call show,LD)$(CC) -std=gnu11 -D_GNU_SOURCE -I. $(WARNINGS) -O1 -fPIC -fvisibility=default -shared -o $@ $<
$(B)/tests/integration/hold_preload.so: tests/integration/hold_preload.c
	@mkdir -p $(@D)
	$(call show,LD)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARNINGS) -O1 -fPIC -shared -o $@ $<
$(B)/tests/integration/malloc_preload.so: tests/integration/malloc_preload.c
	@mkdir -p $(@D)
	$(call show,LD)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARNINGS) -O1 -fPIC -shared -o $@ $<
$(B)/tests/integration/osv_preload.so: tests/integration/osv_preload.c
	@mkdir -p $(@D)
	$(call show,LD)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARNINGS) -O1 -fPIC -shared -o $@ $<
$(B)/tests/integration/machine_preload.so: tests/integration/machine_preload.c
	@mkdir -p $(@D)
	$(call show,LD)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARNINGS) -O1 -fPIC -shared -o $@ $< -pthread
$(B)/tests/integration/loader: tests/integration/loader.c
	@mkdir -p $(@D)
	$(call show,LD)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARNINGS) -O1 -o $@ $< -ldl
WRAPPED := os_reserve os_commit os_release os_discard os_discard_ranges os_populate
$(B)/tests/integration/server_grown: $(B)/obj/tests/integration/grown_memory.o $(MM_OBJ) $(SNAPSHOT_OBJ) $(SERVER_OBJ) $(call obj,server/main.c)
	@mkdir -p $(@D)
	$(call show,LD)$(CC) $(ALL_LDFLAGS) $(WRAPPED:%=-Wl,--wrap=%) -o $@ $^ $(CORE_LIBS) $(SERVER_LIBS)
$(B)/tests/integration/rdb_expires: $(B)/obj/tests/integration/rdb_expires.o $(MM_OBJ) $(SNAPSHOT_OBJ)
	@mkdir -p $(@D)
	$(call show,LD)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(CORE_LIBS)
$(B)/tests/integration/hiredis_client: tests/integration/clients/hiredis_client.c
	@mkdir -p $(@D)
	$(call show,LD)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARNINGS) -O1 -o $@ $< -lhiredis
# The client libraries from npm; what npm cannot get is a test that is skipped by name.
build/npm/node_modules/.package-lock.json: tests/integration/clients/package.json tests/integration/clients/package-lock.json
	@mkdir -p build/npm
	@cp $^ build/npm/
	$(call show,NPM)npm ci --prefix build/npm --no-audit --no-fund --loglevel=error || echo "npm: not installed; its tests are skipped"
# For machines of another kind; without it their tests are skipped, with a line.
$(SYSROOT_aarch64)/.packages: Makefile tests/machines/sysroot.sh
	@mkdir -p build
	@tests/machines/sysroot.sh arm64 $(SYSROOT_aarch64) $(SYSROOT_PACKAGES) && touch $@ || echo "sysroot: not made; what needs it is skipped"
test-helpers: $(B)/tests/integration/hiredis_client $(B)/tests/integration/seccomp_preload.so $(B)/tests/integration/syscalls_preload.so $(B)/tests/integration/hold_preload.so $(B)/tests/integration/malloc_preload.so $(B)/tests/integration/osv_preload.so $(B)/tests/integration/loader $(B)/tests/integration/server_grown $(B)/tests/integration/rdb_expires $(B)/tests/bench/bench_huge $(B)/tests/integration/machine_preload.so $(B)/tests/crash/record_preload.so $(B)/tests/integration/sandbox_preload.so $(B)/tests/fault/call_preload.so
.SECONDARY:

tests: $(TESTS)
benches: $(BENCHES)

missing = $(shell for p in $(1); do dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || printf '%s ' $$p; done)
SUDO := $(if $(filter-out 0,$(shell id -u)),sudo)
define install_packages
	@if ! command -v apt-get >/dev/null; then echo "No apt-get here. Needed, by their Debian names: $(1)"; \
	 else missing="$(call missing,$(1))"; if [ -n "$$missing" ]; then \
	 $(SUDO) apt-get update -q && DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -q --no-install-recommends $$missing; fi; fi
endef
packages:
	$(call install_packages,$(PACKAGES))
osv-packages:
	$(call install_packages,$(OSV_PACKAGES))
deb-packages:
	$(call install_packages,$(DEB_PACKAGES))
test-packages:
	$(call install_packages,$(PACKAGES) $(TEST_PACKAGES) $(OSV_PACKAGES) $(NODE_PACKAGES) $(LINT_PACKAGES) $(MACHINE_PACKAGES))
	@$(MAKE) --no-print-directory build/npm/node_modules/.package-lock.json $(SYSROOT_aarch64)/.packages

## make clean          remove build/
clean:
	rm -rf build

.PHONY: all help run check quick coverage asan tsan barrier steps check-hard check-long check-memcheck check-fault check-osv check-aarch64 model lint bench soak docs-commands fuzz shared install deb check-deb deb-packages \
        osv-image osv-run tests test-helpers benches packages osv-packages test-packages clean
-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
