#!/usr/bin/env bash
# Check the models with spin: each right one is searched to the end and holds, in each wrong variant
# spin finds the error.  docs/model.md says what each one is about.
#   tests/model/run.sh [WORD]    only the rows that contain WORD
set -euo pipefail
cd "$(dirname "$0")/../.."
models=$PWD/tests/model
build=$PWD/build/model
only=${1:-}

# Expectation, model, macros.  The wrong variants run at the smallest size that shows them.
rows() {
    cat <<'END'
holds page  WRITES=3
fails page  WRITES=2 O1_WRITER_RELAXED
fails page  WRITES=2 O1_PUBLISH_BEFORE_COPY
fails page  WRITES=2 O1_FIRST_LOAD_RELAXED
fails page  WRITES=2 O1_SECOND_LOAD_RELAXED
fails page  WRITES=2 O2_NO_WRITER_FENCE
fails page  WRITES=2 O2_NO_READER_FENCE
fails page  WRITES=2 O2_NO_SECOND_LOOK
fails page  WRITES=2 O2_PUBLISH_AFTER_WRITE
fails page  WRITES=2 O3_SWEPT_BEFORE_READ
fails page  WRITES=2 O6_BROKEN_READ_FIRST
fails page  WRITES=2 C2_BROKEN_AFTER_WRITE
holds sweep COMMANDS=2
holds sweep COMMANDS=3 WHOLE_STEPS
holds sweep SWEEPERS=2 COMMANDS=1
holds sweep SWEEPERS=2 COMMANDS=2 CUTS=1 WHOLE_STEPS
fails sweep SWEEPERS=2 COMMANDS=1 CUTS=1 S4_CLAIMED_TWICE
fails sweep SWEEPERS=2 COMMANDS=1 CUTS=1 S4_FIRST_ENDS
fails sweep COMMANDS=1 S1_STALE_RETIRED
fails sweep COMMANDS=1 S2_BORN_INTO_USED
fails sweep COMMANDS=2 S3_BORN_INTO_RETIRED
fails sweep COMMANDS=2 S3_BORN_IS_FORGOTTEN
fails sweep COMMANDS=2 S3_BORN_BY_PAGE
fails sweep COMMANDS=2 S2_FREE_CLEARS_USED
fails sweep COMMANDS=2 S2_RECLASS
fails sweep COMMANDS=2 V1_FREE_EARLY
fails sweep COMMANDS=2 V1_IMAGES_GO_WITH_SLAB
fails sweep COMMANDS=2 V2_OWNER_SHORTCUT
fails sweep COMMANDS=1 O3_SWEPT_BEFORE_LAST_READ
fails sweep COMMANDS=1 O7_TWO_WORDS
holds end   COMMANDS=3
fails end   COMMANDS=2 C1_NO_GRACE
fails end   COMMANDS=2 C1_GRACE_OLDER_THAN_FLAG
fails end   COMMANDS=2 C1_FLAG_BEFORE_QUIESCENT
fails end   COMMANDS=2 C1_QUIESCENT_INSIDE_A_READ
fails end   COMMANDS=2 C1_BARRIER_OFF_AT_CANCEL
fails end   COMMANDS=2 C1_IDLE_WITHOUT_END_MESSAGE
fails end   COMMANDS=2 C3_IMAGES_BACK_AT_CANCEL
fails end   COMMANDS=2 C3_ANY_WORD
fails end   COMMANDS=2 O4_MESSAGE_FIRST
fails end   COMMANDS=2 O5_MESSAGE_FIRST
holds tidy  COMMANDS=6
fails tidy  COMMANDS=3 O9_LENT_STAYS_IN_ITS_BIN
fails tidy  COMMANDS=3 O9_TAKEN_BACK_AT_ONCE
fails tidy  COMMANDS=3 O9_DONE_BEFORE_DISCARD
fails tidy  COMMANDS=4 O12_FETCH_BEFORE_THE_LOOK
fails tidy  COMMANDS=4 O12_TOUCH_IN_TWO_STEPS
END
}

# verify EXPECTATION MODEL MACRO... : leaves pan's report in ./report.  -O0, because an optimizer
# takes longer over pan.c than it saves.
verify() {
    local expect=$1 model=$2 macro
    local -a define=() cflags=() flags=(-m5000 -w20)
    shift 2
    [[ $expect == fails ]] || cflags=(-DCOLLAPSE) flags=(-m5000 -w22)
    for macro; do
        define+=("-D$macro")
    done
    spin -a "${define[@]}" "$models/$model.pml" >spin.log 2>&1 &&
        gcc -w -O0 -DSAFETY "${cflags[@]}" -o pan pan.c >gcc.log 2>&1 &&
        ./pan "${flags[@]}" >report 2>&1
}

# An unfinished search proves nothing: depth, memory and the count of errors are all looked at.
report_says() {
    case $1 in
    holds) grep -q 'errors: 0$' report && ! grep -Eq 'depth too small|not completed|pan: reached|^error' report ;;
    fails) grep -q 'assertion violated' report && grep -q 'errors: 1$' report ;;
    esac
}

# Every variant in a model has a row here: one that nobody runs proves nothing either.
forgotten() {
    comm -23 <(grep -hoE '\b[OSVC][0-9]+_[A-Z_]+\b' "$models"/*.pml | sort -u) \
        <(rows | grep -oE '\b[OSVC][0-9]+_[A-Z_]+\b' | sort -u)
}

passed=0 failed=0
for variant in $(forgotten); do
    printf 'FAIL  no row runs the variant %s\n' "$variant"
    failed=$((failed + 1))
done
while read -r -a row; do
    [[ "${row[*]}" == *"$only"* ]] || continue
    name=$(IFS=-; printf '%s' "${row[*]:1}")
    rm -rf "${build:?}/$name"
    mkdir -p "$build/$name"
    cd "$build/$name"
    start=${EPOCHREALTIME/./}
    verify "${row[@]}" || true
    if report_says "${row[0]}" 2>/dev/null; then
        verdict=ok
        passed=$((passed + 1))
        rm -f pan pan.?
    else
        verdict=FAIL
        failed=$((failed + 1))
    fi
    states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' report 2>/dev/null || true)
    us=$((${EPOCHREALTIME/./} - start))
    printf '%-5s %-5s %-5s %-40s %9s states %4d.%d s\n' "$verdict" "${row[@]:0:2}" "${row[*]:2}" "${states:-no}" \
        $((us / 1000000)) $((us / 100000 % 10))
done < <(rows)
printf '%d passed, %d failed\n' "$passed" "$failed"
[[ $failed == 0 && $passed -gt 0 ]]
