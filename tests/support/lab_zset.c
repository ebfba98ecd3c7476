/* tests/support/lab_zset.c - the digest of sorted sets in a dump: the same for every form. */
#include <string.h>

#include "mm/base/must.h"
#include "mm/base/real.h"
#include "snapshot/rdb/listpack.h"
#include "tests/support/lab_inner.h"

int
lab_zset_member(void *ctx, struct rdb_slice member, double score)
{
    struct digest_state *s = ctx;

    s->value += lab_mix(lab_mix_int(lab_mix(11, member.bytes, member.len), member.len), &score,
                        sizeof score);
    return 0;
}

int
lab_zset_listpack(void *ctx, struct rdb_slice lp, uint32_t members)
{
    char a[LP_INT_TEXT_BYTES], b[LP_INT_TEXT_BYTES];
    uint32_t at = lp_first(lp.bytes), len;

    for (uint32_t i = 0; i < members; i++) {
        struct rdb_slice member;
        struct lp_elem e;
        const uint8_t *text;
        double score;

        lp_get(lp.bytes, at, &e);
        member.bytes = lp_text(&e, a, &len);
        member.len = len;
        at = lp_next(lp.bytes, at);
        lp_get(lp.bytes, at, &e);
        text = lp_text(&e, b, &len);
        must(real_parse(text, len, &score));
        at = lp_next(lp.bytes, at);
        lab_zset_member(ctx, member, score);
    }
    return 0;
}
