/* server/exec/key_spec.c - the keys of a command's call, by its specs or its finder. */
#include "server/exec/key_spec.h"

#include <stdlib.h>

#include "mm/base/must.h"
#include "mm/base/num.h"
#include "server/exec/cmd.h"

enum { SPEC_FITS, SPEC_ABSENT, SPEC_FAILS }; /* ABSENT: its keyword is not there, and need not be */

/* The argument behind the first such word; 0: there is none.  A search from the end goes
 * backwards. */
static int
behind_keyword(const struct key_spec *s, const struct slice *argv, int argc)
{
    int step = s->at >= 0 ? 1 : -1;

    for (int i = s->at >= 0 ? s->at : argc + s->at; i > 0 && i < argc; i += step)
        if (slice_is_word(argv[i], s->keyword))
            return i + 1;
    return 0;
}

static int
last_of_range(const struct key_spec *s, int first, int argc)
{
    if (s->last >= 0)
        return first + s->last;
    if (s->limit == 0)
        return argc + s->last;
    return first + (argc - first) / s->limit + s->last;
}

/* The keys of one spec: argv[*first], then every step up to *last. */
static int
apply_spec(const struct key_spec *s, const struct slice *argv, int argc, int *first, int *last)
{
    int64_t count;

    if (s->begin == KEYS_UNKNOWN)
        return SPEC_FAILS;
    *first = s->begin == KEYS_INDEX ? s->at : behind_keyword(s, argv, argc);
    if (*first == 0)
        return SPEC_ABSENT;
    if (s->find == KEYS_RANGE) {
        *last = last_of_range(s, *first, argc);
    } else {
        if (*first >= argc || !num_parse(argv[*first].ptr, argv[*first].len, &count) || count < 1 ||
            count > argc)
            return SPEC_FAILS;
        *first += s->last;
        *last = *first + ((int)count - 1) * s->step;
    }
    return *first < argc && *last >= *first && *last < argc ? SPEC_FITS : SPEC_FAILS;
}

int
key_spec_count(const struct cmd *cmd)
{
    int n = 0;

    while (n < KEY_SPECS_MAX && cmd->specs[n].begin != KEYS_NONE)
        n++;
    return n;
}

/* Keys up to the last argument, none of which is given, of a command that takes that (PFMERGE
 * key). */
static bool
is_left_out(const struct cmd *cmd, const struct key_spec *s, int argc)
{
    return s->begin == KEYS_INDEX && s->find == KEYS_RANGE && s->last == -1 && s->limit == 0 &&
           s->at == argc && cmd_arity_is_good(cmd, argc);
}

/* The number of keys that the specs name, or -1: they cannot say. */
static int
count_by_specs(const struct cmd *cmd, const struct slice *argv, int argc)
{
    int first, last, n = 0;

    for (const struct key_spec *s = cmd->specs, *end = s + key_spec_count(cmd); s < end; s++) {
        if (s->flags & KEY_NOT_KEY)
            continue;
        if (s->flags & KEY_VARIABLE)
            return -1;
        switch (apply_spec(s, argv, argc, &first, &last)) {
        case SPEC_ABSENT:
            continue;
        case SPEC_FAILS:
            if (is_left_out(cmd, s, argc))
                continue;
            return -1;
        }
        if (s->flags & KEY_INCOMPLETE)
            return -1;
        n += (last - first) / s->step + 1;
    }
    return n;
}

static void
visit_by_specs(const struct cmd *cmd, const struct slice *argv, int argc, key_visit visit,
               void *ctx)
{
    int first, last;

    for (const struct key_spec *s = cmd->specs, *end = s + key_spec_count(cmd); s < end; s++) {
        if ((s->flags & KEY_NOT_KEY) || apply_spec(s, argv, argc, &first, &last) != SPEC_FITS)
            continue;
        for (int i = first; i <= last; i += s->step)
            visit(ctx, i, s->flags);
    }
}

static void
visit_nothing(void *ctx, int at, uint32_t flags)
{
    (void)ctx, (void)at, (void)flags;
}

int
key_spec_find(const struct cmd *cmd, const struct slice *argv, int argc, key_visit visit, void *ctx)
{
    int n = count_by_specs(cmd, argv, argc);

    debug_check(argc > 0);
    if (n < 0)
        return cmd->finder == NULL
                   ? 0
                   : cmd->finder(argv, argc, visit != NULL ? visit : visit_nothing, ctx);
    if (visit != NULL)
        visit_by_specs(cmd, argv, argc, visit, ctx);
    return n;
}

bool
key_spec_has_keys(const struct cmd *cmd)
{
    for (int i = 0; i < key_spec_count(cmd); i++)
        if (!(cmd->specs[i].flags & KEY_NOT_KEY))
            return true;
    return cmd->finder != NULL;
}

/* ---- what clients from before key specs are told (KS2) ---- */

static bool
is_plain_range(const struct key_spec *s)
{
    return s->begin == KEYS_INDEX && s->find == KEYS_RANGE;
}

/* From the end (-1 is the last argument), or from the begin. */
static int
absolute_last(const struct key_spec *s)
{
    return s->last < 0 ? s->last : s->at + s->last;
}

/* KS1, and steps that come to an end. */
static bool
is_good(const struct cmd *cmd, const struct key_spec *s)
{
    if (s->begin == KEYS_UNKNOWN || (s->flags & (KEY_VARIABLE | KEY_INCOMPLETE)) != 0)
        return cmd->finder != NULL;
    return s->step > 0 && s->at != 0 && (s->begin == KEYS_KEYWORD) == (s->keyword != NULL);
}

bool
key_spec_all_good(const struct cmd *cmd)
{
    int n = 0;

    while (n < key_spec_count(cmd) && is_good(cmd, &cmd->specs[n]))
        n++;
    return n == key_spec_count(cmd);
}

void
key_spec_init(struct cmd *cmd)
{
    int n = key_spec_count(cmd), last = 0;

    cmd->first_key = cmd->last_key = cmd->key_step = 0;
    for (const struct key_spec *s = cmd->specs; s < cmd->specs + n; s++) {
        if (s->flags & KEY_INCOMPLETE)
            cmd->flags |= CMD_MOVABLEKEYS;
        if (!is_plain_range(s) || (n > 1 && (s->step != 1 || (last != 0 && s->at != last + 1)))) {
            cmd->flags |= CMD_MOVABLEKEYS;
            continue;
        }
        if (cmd->first_key == 0)
            cmd->first_key = s->at;
        last = absolute_last(s);
        cmd->last_key = last;
        cmd->key_step = s->step;
    }
    cmd->plain_keys =
        n == 1 && is_plain_range(&cmd->specs[0]) && cmd->specs[0].limit == 0 &&
        (cmd->specs[0].flags & (KEY_NOT_KEY | KEY_INCOMPLETE)) == 0 &&
        cmd->specs[0].at + (cmd->specs[0].last > 0 ? cmd->specs[0].last : 0) < abs(cmd->arity);
    cmd->hint_key = n == 0 || cmd->specs[0].begin != KEYS_INDEX ? 0
                    : cmd->specs[0].find == KEYS_RANGE          ? cmd->specs[0].at
                                                       : cmd->specs[0].at + cmd->specs[0].last;
}

/* ---- finders ---- */

/* SET key value ... GET, IFEQ and its kin read the key as well. */
int
keys_of_set(const struct slice *argv, int argc, key_visit visit, void *ctx)
{
    static const char *const reading[] = {"GET", "IFEQ", "IFNE", "IFDEQ", "IFDNE"};
    uint32_t flags = KEY_OW | KEY_UPDATE;

    for (int i = 3; i < argc; i++)
        for (size_t k = 0; k < sizeof reading / sizeof *reading; k++)
            if (slice_is_word(argv[i], reading[k]))
                flags = KEY_RW | KEY_ACCESS | KEY_UPDATE;
    visit(ctx, 1, flags);
    return 1;
}

/* DELEX key [condition]: with one it reads the key as well. */
int
keys_of_delex(const struct slice *argv, int argc, key_visit visit, void *ctx)
{
    (void)argv;
    visit(ctx, 1, argc == 2 ? KEY_RM | KEY_DELETE : KEY_RW | KEY_ACCESS | KEY_DELETE);
    return 1;
}

/* MIGRATE host port key db timeout ... [KEYS key ...]: that one, or, where it is empty, those
 * behind the first KEYS that is no option's argument. */
int
keys_of_migrate(const struct slice *argv, int argc, key_visit visit, void *ctx)
{
    int first = 3, end = 4;

    for (int i = 6; i < argc && first == 3; i++) {
        if (slice_is_word(argv[i], "AUTH"))
            i += 1;
        else if (slice_is_word(argv[i], "AUTH2"))
            i += 2;
        else if (slice_is_word(argv[i], "KEYS"))
            first = i + 1, end = argc;
    }
    if (first > 3 && argv[3].len > 0)
        return 0; /* both: no call that does anything */
    for (int i = first; i < end; i++)
        visit(ctx, i, KEY_RW | KEY_ACCESS | KEY_DELETE);
    return end - first;
}

/* BITFIELD key GET ... [SET ...]: reading alone, or writing too. */
int
keys_of_bitfield(const struct slice *argv, int argc, key_visit visit, void *ctx)
{
    uint32_t flags = KEY_RO | KEY_ACCESS;

    for (int i = 2; i < argc; i++) {
        int words = argc - i - 1; /* behind this one */
        if (slice_is_word(argv[i], "GET") && words >= 2)
            i += 2;
        else if ((slice_is_word(argv[i], "SET") || slice_is_word(argv[i], "INCRBY")) && words >= 3)
            flags = KEY_RW | KEY_ACCESS | KEY_UPDATE, i += 3;
        else if (slice_is_word(argv[i], "OVERFLOW") && words >= 1)
            i += 1;
        else
            flags = KEY_RW | KEY_ACCESS | KEY_UPDATE; /* not a call that does anything */
    }
    visit(ctx, 1, flags);
    return 1;
}

/* SORT key [BY pattern] [LIMIT offset count] [GET pattern ...] [STORE destination]: the last STORE
 * counts. What BY and GET name is not known before the elements are. */
int
keys_of_sort(const struct slice *argv, int argc, key_visit visit, void *ctx)
{
    int store = 0;

    for (int i = 2; i < argc; i++) {
        if (slice_is_word(argv[i], "LIMIT"))
            i += 2;
        else if (slice_is_word(argv[i], "GET") || slice_is_word(argv[i], "BY"))
            i += 1;
        else if (slice_is_word(argv[i], "STORE") && i + 1 < argc)
            store = ++i;
    }
    visit(ctx, 1, KEY_RO | KEY_ACCESS);
    if (store == 0)
        return 1;
    visit(ctx, store, KEY_OW | KEY_UPDATE);
    return 2;
}

/* SORT_RO key ...: what BY and GET name is not known before the elements are. */
int
keys_of_sort_ro(const struct slice *argv, int argc, key_visit visit, void *ctx)
{
    (void)argv, (void)argc;
    visit(ctx, 1, KEY_RO | KEY_ACCESS);
    return 1;
}

/* GEORADIUS key ... [STORE destination | STOREDIST destination], where the specs found a STORE
 * without a destination: the last one that has one counts. */
int
keys_of_georadius(const struct slice *argv, int argc, key_visit visit, void *ctx)
{
    int store = 0;

    for (int i = 5; i + 1 < argc; i++)
        if (slice_is_word(argv[i], "STORE") || slice_is_word(argv[i], "STOREDIST"))
            store = ++i;
    visit(ctx, 1, KEY_RO | KEY_ACCESS);
    if (store == 0)
        return 1;
    visit(ctx, store, KEY_OW | KEY_UPDATE);
    return 2;
}
