/* tests/snapshot/test_rdb_dec_damage.c - the decoder and damaged files: never more than an
 * error. */
#include "snapshot/rdb/rdb_dec.h"

#include <check.h>
#include <errno.h>

#include "snapshot/rdb/rdb.h"
#include "tests/snapshot/rdb_files.h"
#include "tests/snapshot/spell.h"
#include "tests/snapshot/trace.h"
#include "tests/support/runner.h"

static uint32_t seed;

static uint32_t
random_below(uint32_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed % n;
}

/* mutate: some bytes changed, moved, taken out or cut off.  Returns the new length. */
static size_t
mutate(uint8_t *bytes, size_t len)
{
    static const uint8_t interesting[] = {0,    1,    0x3f, 0x40, 0x7f, 0x80,
                                          0x81, 0xc0, 0xc3, 0xfe, 0xff};

    for (unsigned n = random_below(4) + 1; n > 0 && len > 0; n--) {
        size_t at = random_below((uint32_t)len), more = random_below(8);

        switch (random_below(6)) {
        case 0:
            bytes[at] ^= (uint8_t)(1u << random_below(8));
            break;
        case 1:
            bytes[at] = (uint8_t)random_below(256);
            break;
        case 2:
            bytes[at] = interesting[random_below(sizeof interesting)];
            break;
        case 3:
            more = more < len - at ? more : len - at;
            memmove(bytes + at, bytes + at + more, len - at - more);
            len -= more;
            break;
        case 4:
            bytes[at] = bytes[random_below((uint32_t)len)];
            break;
        default:
            if (random_below(4) == 0)
                len = at;
        }
    }
    return len;
}

/* check_same: a sink that takes plain strings at once is told the same of these bytes. */
static void
check_same(const struct trace *t, const uint8_t *bytes, size_t len, int r,
           const struct rdb_error *err)
{
    struct rdb_error plain_err;
    struct trace plain = {0};

    ck_assert_int_eq(trace_memory_plain(&plain, bytes, len, false, &plain_err), r);
    ck_assert_str_eq(plain_err.text, err->text);
    ck_assert_str_eq(plain_err.key, err->key);
    ck_assert_uint_eq(plain_err.offset, err->offset);
    if (r == 0) /* else the one may have begun a key that the other did not come to */
        ck_assert_str_eq(plain.text, t->text);
    trace_fini(&plain);
}

START_TEST(mutations_of_good_files_end_in_events_or_errors)
{
    enum { ROUNDS = 120 };
    unsigned refused = 0, total = 0;

    seed = 0x9e3779b9u + (unsigned)_i;
    printf("rdb_dec: mutations with seed %u\n", seed);
    for (int round = 0; round < ROUNDS; round++)
        for (int i = -1; i < GOOD; i++) {
            struct spelled s = spell(i < 0 ? everything : good[i].file);
            size_t len = mutate(s.bytes, s.len);
            uint8_t *bytes = malloc(len > 0 ? len : 1);
            struct trace t = {0};
            struct rdb_error err;
            int r;

            memcpy(bytes, s.bytes, len);
            r = trace_memory(&t, bytes, len, false, &err);
            ck_assert_msg(r == 0 || r == -EINVAL || r == -ENOTSUP, "%d", r);
            ck_assert_msg(r == 0 || err.text[0] != '\0', "an error without a word");
            ck_assert_uint_le(err.offset, len);
            check_same(&t, bytes, len, r, &err);
            total++;
            refused += r != 0;
            trace_fini(&t);
            free(bytes);
        }
    ck_assert_uint_gt(refused, total / 4);
    ck_assert_uint_lt(refused, total);
}
END_TEST

START_TEST(every_truncation_is_refused)
{
    for (int i = -1; i < GOOD; i++) {
        struct spelled s = spell(i < 0 ? everything : good[i].file);

        for (size_t len = 0; len < s.len; len++) {
            uint8_t *bytes = malloc(len > 0 ? len : 1);
            struct trace t = {0};
            struct rdb_error err;

            memcpy(bytes, s.bytes, len);
            ck_assert_int_eq(trace_memory(&t, bytes, len, true, &err), -EINVAL);
            ck_assert_uint_le(err.offset, len);
            trace_fini(&t);
            free(bytes);
        }
    }
}
END_TEST

START_TEST(every_flipped_bit_is_noticed_by_the_checksum)
{
    for (int i = 0; i < GOOD; i++) {
        struct spelled s = spell(good[i].file);

        if (strstr(good[i].file, "crc") == NULL)
            continue;
        for (size_t bit = 5 * 8; bit < s.len * 8; bit++) { /* not in "REDIS" */
            struct trace t = {0};
            struct rdb_error err;

            s.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
            ck_assert_int_ne(trace_memory(&t, s.bytes, s.len, true, &err), 0);
            s.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
            trace_fini(&t);
        }
    }
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("snapshot/rdb_dec_damage");
    TCase *t = tcase_create("damage");

    tcase_add_loop_test(t, mutations_of_good_files_end_in_events_or_errors, 0, 8);
    tcase_add_test(t, every_truncation_is_refused);
    tcase_add_test(t, every_flipped_bit_is_noticed_by_the_checksum);
    suite_add_tcase(s, t);
    return run_suite(s);
}
