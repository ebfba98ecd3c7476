#!/usr/bin/env bash
# Build and pass the tests.   tests/run.sh all | SECTION...
#
#   release   unit and integration tests on the release build
#   debug     unit tests with asserts and fault points, on one processor
#   asan      unit tests and some integration tests under AddressSanitizer and UBSan
#   tsan      unit tests of mm/ and snapshot/, and of the tool's threads, under ThreadSanitizer
#   barrier   unit tests and the point-in-time oracle with pages that are really read-only
#   steps     every interleaving of a write with the sweep, for small heaps
#   hard      each write barrier taken out in turn; the core broken in each way of
#             tests/hard/mutants.txt
#   fault     each step of a save failed in turn, and each call of the programs that may fail
#   crash     every state in which a power cut may leave the files of a save, of CONFIG REWRITE, of
#             ACL SAVE and of stillframe-rdb
#   model     the model and its wrong variants
#   osv       the server on OSv under QEMU, if OSV names a built OSv tree (OSV_LONG=1: all of it)
#   machines  unit tests and the life of a server on aarch64, under qemu-user, if its compiler and
#             libraries are there (MACHINES_LONG=1: all of it)
#   lint      floors, texts, format, cppcheck, clang-tidy
#   coverage  what of the code unit tests, fault sweeps and most integration tests execute, and
#             whether each branch of mm/ and snapshot/ that is not taken has its reason; not part of
#             "all"
#   memcheck  each call of a server that runs under valgrind failed in turn; not part of "all"
#   long      a million random commands, keys of ten million elements, the oracles and the steps
#             with larger budgets; not part of "all"
#
# Prints one line a test program and, last, how many passed and failed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
shopt -s nullglob
export LC_ALL=C
jobs=$(nproc)
passed=0 failed=0 failures=() took=() pinned=()
logs=build/test-logs
mkdir -p "$logs"

# Check's, unittest's, the sanitizers' and an assertion's lines.
says_why=':[FE]:|^(FAIL|ERROR):|[A-Z][A-Za-z]*(Error|Exception|Expired):|ERROR: [A-Z][a-z]+Sanitizer|runtime error:|Assertion|^FAILED'

ran_nothing() { # unittest is content with that: of a class that it does not have, say
    grep -q '^Ran 0 tests' "$1" && grep -qx 'OK' "$1" && echo 'FAILED: no test ran' >>"$1"
}

run() { # run NAME SECONDS COMMAND...: quiet when it passes, its output when it fails
    local name=$1 limit=$2 start=$SECONDS log
    shift 2
    log=$logs/$(printf '%s' "$name" | tr ' /' '__').log
    if timeout "$limit" "${pinned[@]}" "$@" >"$log" 2>&1 </dev/null && ! ran_nothing "$log"; then
        passed=$((passed + 1))
        took+=("$((SECONDS - start)) $name")
        echo "ok     $name ($((SECONDS - start)) s)"
        sed -n "s/^\\(test_[^ ]*\\).* \\.\\.\\. skipped /       skipped: \\1: /p" "$log"
    else
        local status=$?
        failed=$((failed + 1))
        failures+=("$name")
        echo "FAILED $name (status $status, $((SECONDS - start)) s); from $log:"
        # What says why first: a server's log lines may fill the end.
        grep -aE "$says_why" "$log" | tail -n 30 | sed 's/^/    /'
        echo "    ... and its end:"
        tail -n 40 "$log" | sed 's/^/    /'
    fi
}

one_cpu() { # one_cpu COMMAND...: what it runs has one processor, the last of those that there are
    local pinned=(taskset -c "$(taskset -pc $$ | sed 's/.*[^0-9]//')")
    "$@"
}

build() { # build FLAVOUR TARGET...
    local flavour=$1
    shift
    # One at a time in a directory: the mutants of `hard` are built from what `debug` and `steps`
    # build.
    run "build $flavour" 1500 flock "build/.lock-$flavour" make -s --no-print-directory -j"$jobs" FLAVOUR="$flavour" "$@"
}

dir_of() {
    if [ "$1" = release ]; then echo build; else echo "build/$1"; fi
}

unit() { # unit FLAVOUR FOLDER...: the Check programs of these folders
    local flavour=$1 dir src t
    dir=$(dir_of "$flavour")
    shift
    for folder in "$@"; do
        for src in tests/"$folder"/test_*.c; do
            t=${src%.c}
            [ "$t" != tests/server/test_steps ] || continue # a section of its own
            run "$flavour: $t" "${UNIT_SECONDS:-1200}" "$dir/$t"
        done
    done
}

integration() { # integration FLAVOUR TEST...: python tests against that flavour's server
    local flavour=$1 dir
    dir=$(dir_of "$flavour")
    shift
    for t in "$@"; do
        STILLFRAME_SERVER=$PWD/$dir/stillframe-server STILLFRAME_RDB=$PWD/$dir/stillframe-rdb STILLFRAME_FLAVOUR=$flavour \
            run "$flavour: $t" 1500 python3 -W ignore::ResourceWarning "$t" -v
    done
}

export CK_DEFAULT_TIMEOUT=600
# The same sequences each time beside redis-server; make check-long draws others.
export DIFFERENTIAL_SEED=${DIFFERENTIAL_SEED:-34} EVENTS_SEED=${EVENTS_SEED:-34} PUBSUB_SEED=${PUBSUB_SEED:-34} TRACKING_SEED=${TRACKING_SEED:-34}
export ORACLE_SEED=${ORACLE_SEED:-34}
export TRANSACTIONS_SEED=${TRANSACTIONS_SEED:-34} OSV_SEED=${OSV_SEED:-34}
export ASAN_OPTIONS=abort_on_error=1:detect_stack_use_after_return=0 UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=1:report_thread_leaks=0 # liburcu never joins its thread

section_release() {
    build release all tests test-helpers
    build shared build/shared/stillframe.so
    build plain build/plain/stillframe-server
    unit release mm snapshot tool server
    ORACLE_SNAPSHOTS=${ORACLE_SNAPSHOTS:-150} integration release tests/integration/test_oracle.py
    for t in tests/integration/test_*.py; do
        case ${t##*/test_} in
        oracle.py) ;;
        # `asan` or `barrier` has these with more than one processor.
        saves.py | save_scenarios.py | defrag.py | connections.py | tls.py) one_cpu integration release "$t" ;;
        *) integration release "$t" ;;
        esac
    done
    SEED=34 MINUTES=0.5 integration release tests/soak/soak.py
    SEED=34 MINUTES=0.6 integration release tests/soak/snapshots.py
    SEED=34 KILLS=30 integration release tests/soak/kills.py
}
section_debug() {
    build debug all tests
    run "debug: floors" 60 tests/lint/floors.py build/debug/obj
    one_cpu unit debug mm snapshot tool server # `release` has them with more
}
section_fault() {
    build debug all tests
    unit debug fault
    integration debug tests/fault/test_debug_fault.py
    build release all test-helpers
    integration release tests/fault/test_*.py
}
section_crash() {
    build release all test-helpers
    integration release tests/crash/test_*.py
}
section_asan() {
    build release test-helpers
    build asan all tests
    CK_FORK=no unit asan mm snapshot tool server
    QUICK=1 integration asan tests/integration/test_{rdb_tool,rdb_check,rdb_convert,rdb_diff,rdb_golden,rdb_input,rdb_json,rdb_look,rdb_memory,rdb_resp,rdb_salvage,dumps,restore_damage,protocol,saves,save_copies,save_stream,server,commands,differential,extremes,events,oracle,oracle_types,replies,connections,introspection,maxmemory,unread,defrag,tls,tls_parameters,acl,scripts,script_sandbox,functions,tracking,script_differential}.py
    CK_FORK=no unit asan fault
}
section_tsan() {
    build tsan "${tsan_targets[@]}"
    CK_FORK=no unit tsan mm snapshot
    for t in input large diff convert; do # those of the tool that have threads
        CK_FORK=no run "tsan: tests/tool/test_$t" 1200 build/tsan/tests/tool/test_$t
    done
}
section_barrier() {
    build release test-helpers
    build barrier all tests
    run "barrier: floors" 60 tests/lint/floors.py build/barrier/obj
    unit barrier mm snapshot server
    QUICK=1 integration barrier tests/integration/test_{commands,oracle,oracle_types,save_scenarios,save_copies,save_stream,maxmemory,defrag}.py
    SEED=34 MINUTES=0.6 integration barrier tests/soak/snapshots.py
}
section_steps() {
    build steps build/steps/tests/server/test_steps
    STEP_BUDGET=${STEP_BUDGET:-125} run "steps: tests/server/test_steps" 2400 build/steps/tests/server/test_steps
}
section_hard() {
    build hard build/hard/tests/server/test_barriers
    run "hard: each barrier is needed" 2400 tests/hard/run.sh
    MUTANT_JOBS=1 run "hard: each mutant is caught" 2400 tests/hard/mutants.py
}
section_model() {
    run "model" 600 tests/model/run.sh
}
section_osv() {
    local lacks t
    lacks=$(python3 tests/osv/guest.py)
    if [ -n "$lacks" ]; then
        echo "skipped osv: there is no $lacks"
        return
    fi
    build release all test-helpers
    build shared build/shared/stillframe.so
    build plain build/plain/stillframe-server
    for t in tests/osv/test_*.py; do
        STILLFRAME_FLAVOUR=release run "osv: $t" 3600 python3 -W ignore::ResourceWarning "$t" -v
    done
}
section_machines() {
    local lacks t targets units=() # all but that of the flavour steps
    for t in tests/{mm,snapshot,tool,server}/test_*.c; do
        [ "$t" = tests/server/test_steps.c ] || units+=("$t")
    done
    lacks=$(python3 tests/machines/emulated.py)
    if [ -n "$lacks" ]; then
        echo "skipped machines: there is no $lacks"
        return
    fi
    # In short: where bytes, signs, alignment, atomics and the processor's own instructions matter.
    [ -n "${MACHINES_LONG:-}" ] ||
        units=(tests/mm/test_{alloc,page,real,move_bytes}.c tests/snapshot/test_{crc64,lzf,listpack,rdb_enc,rdb_dec,snapshot}.c
            tests/tool/test_{json,values}.c tests/server/test_{bits,digest,hll,stream_forms,zset}.c)
    build release all
    targets=("${units[@]%.c}")
    build aarch64 all "${targets[@]/#/build/aarch64/}"
    for t in "${units[@]%.c}"; do
        # The tags are on what asks the kernel for something that qemu-user does not hand on, and on
        # what needs more address space than it is given (tests/machines/emulated.py).
        CK_TIMEOUT_MULTIPLIER=10 CK_EXCLUDE_TAGS="kernel space" run "aarch64: $t" 2400 python3 tests/machines/emulated.py "build/aarch64/$t"
    done
    STILLFRAME_FLAVOUR=release run "aarch64: tests/machines/test_aarch64" 2400 python3 -W ignore::ResourceWarning tests/machines/test_aarch64.py -v
}
section_lint() {
    LINT_NODES=${LINT_NODES-50000} run "lint" 1500 tests/lint/run.sh
}
section_coverage() {
    # Without optimization, and each test writes the counts of four hundred files at its end.
    local -x CK_TIMEOUT_MULTIPLIER=10 UNIT_SECONDS=3600
    build release test-helpers
    build coverage all tests
    find build/coverage/obj -name '*.gcda' -delete # what earlier runs counted
    unit coverage mm snapshot tool fault server
    integration coverage tests/fault/test_debug_fault.py
    for t in OfALivingServer OfAStart OfTheTool; do
        STILLFRAME_SERVER=$PWD/build/coverage/stillframe-server STILLFRAME_RDB=$PWD/build/coverage/stillframe-rdb STILLFRAME_FLAVOUR=coverage \
            run "coverage: tests/fault/test_calls.py $t" 3600 python3 tests/fault/test_calls.py "$t"
    done
    # Without what starts programs of this flavour with less memory than its counting needs.
    for t in tests/integration/test_*.py; do
        case ${t##*/test_} in
        abuse_* | build.py | documents.py | elsewhere.py | exporter.py | memory_returned.py | one_program.py | osv*.py | rdb_damage.py | rdb_input.py | rdb_large.py | redis_tools.py | sandbox.py | save_when.py) ;;
        *) QUICK=1 ORACLE_SNAPSHOTS=${ORACLE_SNAPSHOTS:-60} integration coverage "$t" ;;
        esac
    done
    run "coverage: every branch has its reason" 600 tests/coverage/report.py
    sed -n 's/^/    /p' build/test-logs/coverage:_every_branch_has_its_reason.log
}

section_memcheck() {
    local -x CALLS_LONG=1 CALLS_VALGRIND=1
    build release all test-helpers
    run "memcheck: tests/fault/test_calls.py" 3600 python3 -W ignore::ResourceWarning tests/fault/test_calls.py -v OfALivingServer
    run "memcheck: tests/fault/test_calls_more.py" 3600 python3 -W ignore::ResourceWarning tests/fault/test_calls_more.py -v OfALivingServer
    # In short: it makes keys for each failure.
    CALLS_LONG=0 run "memcheck: tests/fault/test_calls_more.py Encrypted" 3600 python3 -W ignore::ResourceWarning tests/fault/test_calls_more.py -v Encrypted
}

section_long() {
    export DIFFERENTIAL_SEED
    DIFFERENTIAL_SEED=$(date +%s)
    unset EVENTS_SEED ORACLE_SEED PUBSUB_SEED TRACKING_SEED TRANSACTIONS_SEED # each draws and prints its own
    build release all tests test-helpers
    for t in events pubsub tracking transactions; do
        long tests/integration/test_$t.py
    done
    DIFFERENTIAL_COMMANDS=${DIFFERENTIAL_COMMANDS:-1000000} LONG=1 long tests/integration/test_differential.py
    SCRIPTS_STEPS=${SCRIPTS_STEPS:-20000} long tests/integration/test_script_differential.py
    ACL_ROUNDS=${ACL_ROUNDS:-1500} long tests/integration/test_acl.py
    EXTREMES_LONG=1 long tests/integration/test_extremes.py
    RESTORE_SEED=$DIFFERENTIAL_SEED RESTORE_PAYLOADS=${RESTORE_PAYLOADS:-100000} long tests/integration/test_restore_damage.py
    LONG=1 long tests/integration/test_huge.py
    for t in tests/integration/test_abuse_*.py; do ABUSE_LONG=1 long "$t"; done
    ORACLE_SNAPSHOTS=1000 long tests/integration/test_oracle.py
    ORACLE_SNAPSHOTS=500 long tests/integration/test_oracle_types.py
    CRASH_LONG=1 long tests/crash/test_crash.py
    LIMITS_LONG=1 long tests/integration/test_limits.py
    for t in tests/fault/test_calls*.py; do
        CALLS_LONG=1 long "$t"
    done
    section_memcheck
    STEP_BUDGET=2000 section_steps
    section_coverage
    LINT_NODES='' section_lint
}
long() { # long PROGRAM: an integration test that may take an hour
    STILLFRAME_FLAVOUR=release run "long: $1" 3600 python3 -W ignore::ResourceWarning "$1" -v
}

tsan_targets=()
for src in tests/mm/test_*.c tests/snapshot/test_*.c tests/tool/test_{input,large,diff,convert}.c; do tsan_targets+=("build/tsan/${src%.c}"); done

# all: workers, one more than there are processors, as tests also wait, take the sections, the
# longest first; each prints its lines as they come.  The helpers of the integration tests are built
# before, as several sections use them.
all() {
    local queue out line pids=() n=0
    build release all tests test-helpers
    queue=$(mktemp)
    out=$(mktemp)
    printf '%s\n' asan lint release hard "debug fault crash" steps machines osv barrier model tsan >"$queue"
    for ((w = 0; w < jobs + 1; w++)); do
        worker "$queue" > >(tee -a "$out") 2>&1 &
        pids+=($!)
    done
    for p in "${pids[@]}"; do wait "$p"; done
    sleep 1 # for what tee has still to write
    while IFS= read -r line; do
        if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
            passed=$((passed + BASH_REMATCH[1]))
            failed=$((failed + BASH_REMATCH[2]))
            n=$((n + 1))
        elif [[ $line =~ ^failed:\ (.*)$ ]]; then
            failures+=("${BASH_REMATCH[1]}")
        elif [[ $line =~ ^ok\ +(.*)\ \(([0-9]+)\ s\)$ ]]; then
            took+=("${BASH_REMATCH[2]} ${BASH_REMATCH[1]}")
        fi
    done <"$out"
    if [ "$n" -ne 11 ]; then
        failed=$((failed + 1))
        failures+=("a section ended without its count")
    fi
    rm -f "$queue" "$queue.lock" "$out"
}
worker() { # worker QUEUE: take a line from it, run these sections, until there is none
    local sections
    while
        sections=$(flock "$1.lock" sh -c 'head -n 1 "$1"; sed -i 1d "$1"' - "$1")
        [ -n "$sections" ]
    do
        # shellcheck disable=SC2086 # a list of sections
        tests/run.sh $sections
    done
}

sections=("$@")
[ "${#sections[@]}" -gt 0 ] || { sed -n '2,/^set/p' "$0" | sed '$d'; exit 2; }
for s in "${sections[@]}"; do
    if [ "$s" = all ]; then
        all
        continue
    fi
    declare -F "section_$s" >/dev/null || { echo "no section '$s'" >&2; exit 2; }
    "section_$s"
done
[ "${sections[*]}" != all ] || printf '%s\n' "${took[@]}" | sort -rn | sed -n '1,8s/^\([0-9]*\) \(.*\)/slow: \2, \1 s/p'
[ "$failed" -eq 0 ] || printf 'failed: %s\n' "${failures[@]}"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
