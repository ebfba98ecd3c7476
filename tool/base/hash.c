/* tool/base/hash.c - XXH3 of what is large. */
#include "tool/base/hash.h"

#include "tool/base/large.h"

enum { PIECE_BYTES = 1 << 20 };

/* take: all of s. */
static void
take(XXH3_state_t *state, struct slice s,
     XXH_errorcode (*update)(XXH3_state_t *, const void *, size_t))
{
    for (size_t at = 0; at < s.len; at += PIECE_BYTES) {
        size_t n = s.len - at < PIECE_BYTES ? s.len - at : PIECE_BYTES;

        must(update(state, s.ptr + at, n) == XXH_OK);
        tool_large_let_go();
    }
}

static XXH3_state_t *
new_state(void)
{
    XXH3_state_t *state = XXH3_createState();

    must(state != NULL);
    return state;
}

uint64_t
tool_hash_large(struct slice s, uint64_t seed)
{
    XXH3_state_t *state = new_state();
    uint64_t hash;

    must(XXH3_64bits_reset_withSeed(state, seed) == XXH_OK);
    take(state, s, XXH3_64bits_update);
    hash = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    return hash;
}

XXH128_hash_t
tool_hash128_large(struct slice s, uint64_t seed)
{
    XXH3_state_t *state = new_state();
    XXH128_hash_t hash;

    must(XXH3_128bits_reset_withSeed(state, seed) == XXH_OK);
    take(state, s, XXH3_128bits_update);
    hash = XXH3_128bits_digest(state);
    XXH3_freeState(state);
    return hash;
}
