#!/usr/bin/env bash
# make fuzz: libFuzzer under ASan and UBSan over the parsers, the decoders, RESTORE, scripts and
# the tool.
# tests/fuzz/run.sh [seconds each] FUZZ="rdb resp": only these.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-600}
command -v clang >/dev/null || { echo "make fuzz needs clang (Debian: clang libclang-rt-14-dev)" >&2; exit 2; }
passed=0 failed=0

fuzz() { # fuzz NAME
    local name=$1 program=build/fuzz/tests/fuzz/fuzz_$1 log=build/fuzz/$1.log corpus=build/fuzz/corpus-$1
    make --no-print-directory -s -j"$(nproc)" FLAVOUR=fuzz "$program"
    mkdir -p "$corpus"
    case $name in
    restore) "$program" -seeds "$corpus" ;;
    rdb) python3 tests/fuzz/seeds.py "$corpus" ;;
    tool | scripts) python3 tests/fuzz/seeds.py "$corpus" "$name" ;;
    esac
    echo "fuzz: $name for $seconds seconds"
    if "$program" -max_total_time="$seconds" -max_len=16384 -rss_limit_mb=4096 -timeout=20 -print_final_stats=1 -artifact_prefix="build/fuzz/$name-" \
        $([ "$name" != tool ] || echo -close_fd_mask=3 -malloc_limit_mb=64 -rss_limit_mb=512) \
        "$corpus" >"$log" 2>&1; then
        passed=$((passed + 1))
        grep 'number_of_executed_units' "$log"
    else
        failed=$((failed + 1))
        echo "FAILED fuzz: $name: the end of $log:"
        tail -n 40 "$log"
    fi
}

for name in ${FUZZ:-rdb resp config acl restore tool scripts}; do fuzz "$name"; done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
