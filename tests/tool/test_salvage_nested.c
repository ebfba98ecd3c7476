/* What salvage must not take for keys: RDBs, pieces of RDBs and zeros that are values; and what is
 * saved from several damages at once. */
#include "tests/tool/salvage_files.h"

static struct kept all, now;

#define NESTED_KEYS                                                                                \
    "00 ['n1'] ['a'] 00 ['n2'] ['bb'] 00 ['n3'] c0 05 02 ['n4'] 02 ['x'] ['y'] 00 ['n5'] ['c'] "   \
    "04 ['n6'] 01 ['f'] ['v'] 00 ['n7'] ['d'] 00 ['n8'] ['eee'] 00 ['n9'] ['f'] 00 ['na'] [] "     \
    "fc 00 x 8 00 ['nb'] ['g'] 00 ['nc'] ['h'] 0b ['nd'] [02 00 00 00 01 00 00 00 01 00] "         \
    "00 ['ne'] ['i'] 00 ['nf'] ['j'] 00 ['ng'] ['k'] 00 ['nh'] ['l'] 00 ['ni'] ['m'] "             \
    "00 ['nj'] ['n'] 00 ['nk'] ['o'] "
#define BEFORE                                                                                     \
    "00 ['k1'] ['one'] 00 ['k2'] ['two'] 00 ['k3'] ['three'] 00 ['k4'] ['four'] "                  \
    "00 ['k5'] ['five'] 00 ['k6'] ['six'] 00 ['k7'] ['seven'] 00 ['k8'] ['eight'] "                \
    "00 ['k9'] ['nine'] 00 ['l1'] ['ten'] "
#define BEHIND                                                                                     \
    "00 ['m1'] ['one'] 02 ['m2'] 01 ['two'] 00 ['m3'] ['three'] 00 ['m4'] ['four'] "               \
    "00 ['m5'] ['five'] 00 ['m6'] ['six'] 00 ['m7'] ['seven'] 00 ['m8'] ['eight'] "                \
    "00 ['m9'] ['nine'] 00 ['o1'] ['ten'] 00 ['o2'] ['eleven'] "
#define SIZED   "'REDIS0009' fe 00 fb 16 00 "
#define UNSIZED "'REDIS0006' fe 00 "

static const struct {
    const char *what, *file;
} nests[] = {
    {"an RDB", SIZED BEFORE "00 ['nest'] ['REDIS0009' fe 00 fb 14 01 " NESTED_KEYS
                            "ff 11 22 33 44 55 66 77 88] " BEHIND "ff zero"},
    {"an RDB, without sizes", UNSIZED BEFORE "00 ['nest'] ['REDIS0009' fe 00 fb 14 01 " NESTED_KEYS
                                             "ff zero] " BEHIND "ff zero"},
    {"an RDB in a list", SIZED BEFORE "01 ['nest'] 02 ['x'] ['REDIS0009' fe 00 " NESTED_KEYS
                                      "ff 11 22 33 44 55 66 77 88] " BEHIND "ff zero"},
    {"a piece of an RDB", SIZED BEFORE "00 ['nest'] [" NESTED_KEYS "] " BEHIND "ff zero"},
    {"a piece of an RDB behind something",
     SIZED BEFORE "00 ['nest'] ['something' " NESTED_KEYS "] " BEHIND "ff zero"},
    {"a piece of an RDB, cut",
     SIZED BEFORE "00 ['nest'] [" NESTED_KEYS "00 ['nl'] 20 'cut'] " BEHIND "ff zero"},
    {"zeros", SIZED BEFORE "00 ['nest'] [00 x 200 07 00 x 30] " BEHIND "ff zero"},
    {"zeros, without sizes", UNSIZED BEFORE "00 ['nest'] [00 x 100 07 00 x 30] " BEHIND "ff zero"},
    {"small numbers", SIZED BEFORE
     "00 ['nest'] [01 01 01 00 02 02 00 01 01 00 01 02 03 04 05 06 07 00 01 02 00 00 01 00 00 "
     "01 00 "
     "02 01 00 01 01 01 01 02 02 02 00 01 00 01 00 01 00 01 00 01 00 01] " BEHIND "ff zero"},
};
enum { NESTS = sizeof nests / sizeof *nests };

static bool
is_seen(const struct spelled *s)
{
    return kept_of(s->bytes, s->len, false, &now) != 0 || now.findings > 0;
}

START_TEST(keys_inside_of_values_are_not_taken_for_keys)
{
    struct spelled s = spell(nests[_i].file);
    uint64_t seen = 0, kept = 0;
    struct rescued r;

    ck_assert_int_eq(kept_of(s.bytes, s.len, true, &all), 0);
    ck_assert_uint_eq(all.count, 22);
    for (size_t at = 0; at < s.len; at++)
        for (unsigned way = at % 2; way < WAYS; way += 2) { /* half of them: it takes long */
            uint8_t was = s.bytes[at];
            bool sees;

            s.bytes[at] = damaged(was, way);
            if (s.bytes[at] == was)
                continue;
            sees = is_seen(&s);

            rescue_bytes(s.bytes, s.len, NULL, &r);
            s.bytes[at] = was;
            check_saved(&r, sees ? &all : &now, nests[_i].what, at, way);
            seen += sees;
            kept += sees ? r.keys : 0;
            free(r.bytes);
        }
    printf("%s: kept %.1f of %u\n", nests[_i].what, (double)kept / (double)seen, all.count);
}
END_TEST

static uint64_t
next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* damage_some: bytes from there on, whose change is seen if it is the only one. */
static void
damage_some(struct spelled *s, size_t from, unsigned count, uint64_t *state)
{
    struct spelled one, was = *s;

    while (count > 0) {
        size_t at = from + next_random(state) % (s->len - from);
        uint8_t byte = damaged(was.bytes[at], next_random(state) % WAYS);

        one = was;
        one.bytes[at] = byte;
        if (byte == was.bytes[at] || !is_seen(&one))
            continue;
        s->bytes[at] = byte;
        count--;
    }
}

/* from: what says how many keys there are stays: without it nobody can tell the keys in a value
 * whose head is gone from others. */
static const struct {
    const char *text;
    size_t from;
} files[] = {{ALL_TYPES "ff zero", 0},
             {ALL_TYPES "ff crc", 0},
             {SIZED BEFORE "00 ['nest'] [" NESTED_KEYS "] " BEHIND "ff crc", 14}};

/* Several damages together can make what none does alone: other keys, which read well.  Without a
 * checksum nobody can tell. */
START_TEST(several_damages_hardly_ever_cost_another_key_its_truth)
{
    enum { TRIALS = 500, WRONG_MOST = 2 };
    const struct spelled s = spell(files[_i].text);
    uint64_t state = 88172645463325252u + (uint64_t)_i, kept = 0;
    const struct kept_key *k;
    unsigned wrong = 0;
    struct spelled d;
    struct rescued r;

    ck_assert_int_eq(kept_of(s.bytes, s.len, true, &all), 0);
    for (unsigned i = 0; i < TRIALS; i++) {
        d = s;
        damage_some(&d, files[_i].from, 2 + i % 4, &state);
        rescue_bytes(d.bytes, d.len, NULL, &r);
        wrong += !is_true(&r, &all, &k);
        kept += r.keys;
        free(r.bytes);
    }
    printf("several: kept %.1f of %u, %u wrong\n", (double)kept / TRIALS, all.count, wrong);
    ck_assert_uint_le(wrong, WRONG_MOST);
}
END_TEST

START_TEST(a_stretch_that_is_gone_costs_no_other_key_its_truth)
{
    enum { TRIALS = 500 };
    const struct spelled s = spell(files[_i].text);
    uint64_t state = 1181783497276652981u + (uint64_t)_i, kept = 0, seen = 0;
    struct spelled d;
    struct rescued r;

    ck_assert_int_eq(kept_of(s.bytes, s.len, true, &all), 0);
    for (unsigned i = 0; i < TRIALS; i++) {
        size_t from = files[_i].from + next_random(&state) % (s.len - files[_i].from),
               len = 1 + next_random(&state) % 64;

        d = s;
        for (size_t at = from; at < from + len && at < s.len; at++)
            d.bytes[at] = i % 3 == 0   ? 0
                          : i % 3 == 1 ? (uint8_t)next_random(&state)
                                       : (uint8_t)('a' + at % 26);
        /* what ends in bytes of any kind cannot be told from what was cut there */
        if (!is_seen(&d) || (from + len >= s.len - 8 && i % 3 != 0))
            continue;
        rescue_bytes(d.bytes, d.len, NULL, &r);
        check_saved(&r, &all, "trial", i, 0);
        kept += r.keys;
        seen++;
        free(r.bytes);
    }
    printf("stretch: kept %.1f of %u\n", (double)kept / (double)seen, all.count);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("salvage, nested and several");
    TCase *t = tcase_create("salvage");
    SRunner *runner = srunner_create(s);
    int failed;

    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, keys_inside_of_values_are_not_taken_for_keys, 0, NESTS);
    tcase_add_loop_test(t, several_damages_hardly_ever_cost_another_key_its_truth, 0, 3);
    tcase_add_loop_test(t, a_stretch_that_is_gone_costs_no_other_key_its_truth, 0, 3);
    suite_add_tcase(s, t);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
