#!/usr/bin/env bash
# make bench: the figures of docs/benchmarks.md.   tests/bench/run.sh [page-size] [sweep] [commands]
# [stall] [save] [cpu] [load]
#                                                   [loop] [floor] [fan-out] [memory] [instructions]
#                                                   [keyspace] [growth] [huge] [types] [zset] [sets]
#                                                   [hit-ratio] [steady] [strings] [tracking]
#                                                   [memory-limit] [rdb] [osv] [scripts] [acl] [tls]
# SAVE: options of save.py, such as "--quick".
set -euo pipefail
cd "$(dirname "$0")/../.."
what=("$@")
[ "${#what[@]}" -gt 0 ] || what=(page-size sweep commands stall save cpu load loop fan-out memory instructions)
make --no-print-directory -s -j"$(nproc)" all benches
for w in "${what[@]}"; do
    echo "== $w"
    case $w in
    page-size)
        for shift in 9 10 11 12; do
            make --no-print-directory -s FLAVOUR=page$shift "build/page$shift/tests/bench/bench_sweep"
            "build/page$shift/tests/bench/bench_sweep" 5000000 128 "${ROUNDS:-7}" | if [ $shift -eq 9 ]; then cat; else tail -n 3; fi
        done ;;
    strings) build/tests/bench/bench_strings ;;
    sweep) build/tests/bench/bench_sweep 5000000 128 "${ROUNDS:-9}" ;;
    commands) build/tests/bench/bench_commands ;;
    save)
        read -ra options <<< "${SAVE:-}"
        python3 tests/bench/save.py "${options[@]}"
        build/tests/bench/bench_save "${ROUNDS:-5}" ;;
    stall | cpu | load) python3 tests/bench/server.py "$w" ;;
    loop | floor | fan-out | memory | instructions) python3 tests/bench/loop.py "$w" ;;
    keyspace) build/tests/bench/bench_keyspace ;;
    growth)
        build/tests/bench/bench_growth 20000000 work
        build/tests/bench/bench_growth 20000000 ;;
    huge) build/tests/bench/bench_huge 10000000 "${ROUNDS:-3}" ;;
    types) python3 tests/bench/default_list.py ;;
    zset) python3 tests/bench/zset.py ;;
    sets) python3 tests/bench/zset.py sets ;;
    hit-ratio) python3 tests/bench/hit_ratio.py ;;
    tracking) python3 tests/bench/tracking.py ;;
    steady) python3 tests/bench/steady.py ;;
    rdb) python3 tests/bench/rdb.py ;;
    memory-limit) python3 tests/bench/memory_limit.py ;;
    scripts | acl | tls) python3 tests/bench/scripts.py "$w" ;;
    osv) python3 tests/bench/osv.py ;;
    *) echo "no benchmark '$w'" >&2; exit 2 ;;
    esac
done
