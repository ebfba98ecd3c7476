#!/usr/bin/env bash
# make fuzz: libFuzzer under ASan and UBSan over the parsers and decoders.   tests/fuzz/run.sh [seconds each]
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-600}
command -v clang >/dev/null || { echo "make fuzz needs clang (Debian: clang libclang-rt-14-dev)" >&2; exit 2; }
mkdir -p build/fuzz
flags=(-std=gnu11 -g -O1 -D_GNU_SOURCE -I. -pthread -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined
    -DSTILLFRAME_DEBUG)
passed=0 failed=0

fuzz() { # fuzz NAME SOURCE...
    local name=$1
    shift
    clang "${flags[@]}" -o "build/fuzz/$name" "tests/fuzz/fuzz_$name.c" "$@" mm/must.c mm/fault.c
    mkdir -p "build/fuzz/corpus-$name"
    echo "fuzz: $name for $seconds seconds"
    if "build/fuzz/$name" -max_total_time="$seconds" -max_len=65536 -print_final_stats=1 -artifact_prefix="build/fuzz/$name-" \
        "build/fuzz/corpus-$name" >"build/fuzz/$name.log" 2>&1; then
        passed=$((passed + 1))
        grep 'number_of_executed_units' "build/fuzz/$name.log"
    else
        failed=$((failed + 1))
        echo "FAILED fuzz: $name: the end of build/fuzz/$name.log:"
        tail -n 40 "build/fuzz/$name.log"
    fi
}

decoder=(snapshot/rdb_dec*.c snapshot/rdb_source.c snapshot/rdb_names.c snapshot/rdb_lzf.c snapshot/listpack*.c
    snapshot/field_set.c snapshot/printable.c snapshot/decimal.c snapshot/crc64.c)
fuzz rdb "${decoder[@]}"
fuzz resp server/resp.c server/text.c server/num.c
fuzz config server/config.c server/config_types.c server/config_check.c server/config_file.c server/text.c server/num.c server/glob.c server/log.c
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
