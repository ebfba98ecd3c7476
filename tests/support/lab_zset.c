/* tests/support/lab_zset.c - the digest of sorted sets in a dump: the same for every form. */
#include <string.h>

#include "mm/base/must.h"
#include "mm/base/real.h"
#include "snapshot/rdb/listpack.h"
#include "tests/support/lab_impl.h"

int
lab_zset_member(void *ctx, struct slice member, double score)
{
    struct digest_state *s = ctx;

    s->value +=
        lab_mix(lab_mix_int(lab_mix(11, member.ptr, member.len), member.len), &score, sizeof score);
    return 0;
}

int
lab_zset_listpack(void *ctx, struct slice listpack, uint32_t members)
{
    char a[LP_INT_TEXT_BYTES], b[LP_INT_TEXT_BYTES];
    const uint8_t *lp = slice_bytes(listpack);
    uint32_t at = lp_first(lp);

    for (uint32_t i = 0; i < members; i++) {
        struct slice member = lp_slice(lp, at, a), text;
        double score;

        at = lp_next(lp, at);
        text = lp_slice(lp, at, b);
        must(real_parse(text.ptr, text.len, &score));
        at = lp_next(lp, at);
        lab_zset_member(ctx, member, score);
    }
    return 0;
}
