#!/usr/bin/env bash
# make check-hard: take out each mm_modify() call site in turn; a named test must notice.
# Only the scenarios that come to a site run without it: for the others nothing changes.
set -euo pipefail
cd "$(dirname "$0")/../.."
test=build/hard/tests/server/test_barriers
make --no-print-directory -s -j"$(nproc)" FLAVOUR=hard "$test"
passed=0 failed=0

if STILLFRAME_SKIP_SITE=none "$test" >build/hard/none.log 2>&1; then
    passed=$((passed + 1))
    echo "ok     with all barriers in place the tests pass"
else
    failed=$((failed + 1))
    echo "FAILED with all barriers in place:"
    grep -E ':[FE]:' build/hard/none.log || tail -5 build/hard/none.log
fi
for site in $("$test" --sites | sort -u); do
    log=build/hard/$(printf '%s' "$site" | tr '/:' '__').log
    mapfile -t scenarios < <(awk -v s="$site" '$1 == "reached:" && $3 == s { print $2 }' build/hard/none.log | sort -u)
    if [ "${#scenarios[@]}" -eq 0 ]; then
        failed=$((failed + 1))
        echo "FAILED no scenario comes to the barrier at $site"
    elif STILLFRAME_SKIP_SITE=$site "$test" "${scenarios[@]}" >"$log" 2>&1; then
        failed=$((failed + 1))
        echo "FAILED without the barrier at $site no test notices"
    else
        passed=$((passed + 1))
        # file:line:kind:test case:test:iteration: message
        caught=$(grep -oE ':[FE]:[a-z0-9_]+:' "$log" | head -1 | cut -d: -f3)
        echo "ok     $site is caught by ${caught:-?} ($(grep -cE ':[FE]:' "$log") tests fail; ${#scenarios[@]} scenarios come to it)"
    fi
done
# With the time of make check-hard: more schedules of the step scheduler (tests/run.sh steps takes
# up to 600 each).
if [ -n "${HARD_STEPS:-}" ]; then
    make --no-print-directory -s -j"$(nproc)" FLAVOUR=steps build/steps/tests/server/test_steps
    if STEP_BUDGET=6000 CK_DEFAULT_TIMEOUT=3600 build/steps/tests/server/test_steps >build/hard/steps.log 2>&1; then
        passed=$((passed + 1))
        echo "ok     step scheduler, $(grep -c schedules build/hard/steps.log) explorations (build/hard/steps.log)"
    else
        failed=$((failed + 1))
        echo "FAILED step scheduler:"
        grep -E ':[FE]:|rule broken' build/hard/steps.log
    fi
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
