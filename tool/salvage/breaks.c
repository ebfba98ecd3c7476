/* tool/salvage/breaks.c - where reading fails, and where it goes on: the rules SV1 and SV5 of
 * scan.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/crc64.h"
#include "mm/base/le.h"
#include "snapshot/rdb/rdb.h"
#include "tool/salvage/scan_impl.h"

enum {
    CUT_CLAIM_MOST = 512 << 20,     /* what a key that the file's end cuts may claim */
    BACK_IN_FILE_BYTES = 512 << 20, /* before an end mark that is none: a value's length at most */
    BACK_ALL_BYTES = 1 << 30        /* before breaks, in all */
};

int
begin_section(struct scan *s, uint64_t from, unsigned head, uint64_t gap)
{
    struct db_sum *d = scan_db(s, s->db);

    if ((s->section_count & (s->section_count - 1)) == 0) { /* 0, or a power of two: full */
        size_t room = s->section_count == 0 ? 1 : 2 * (size_t)s->section_count;
        struct section *grown = realloc(s->sections, room * sizeof *grown);

        if (grown == NULL)
            return -ENOMEM;
        s->sections = grown;
    }
    s->sections[s->section_count++] = (struct section){
        .from = from,
        .until = from,
        .head = head,
        .gap = gap,
        .db = s->db,
        .last_db = s->has_db ? s->db : UINT64_MAX,
        .next_db = UINT64_MAX,
        .believed_until = UINT64_MAX,
        .due = d == NULL || d->said != 1              ? UINT64_MAX
               : d->keys + d->doubtful > d->said_keys ? 0
                                                      : d->said_keys - d->keys - d->doubtful};
    s->has_nameless = false;
    s->head_is_due = s->section_count > 1;
    return 0;
}

static void
lose_bytes(struct scan *s, enum loss_kind kind, uint64_t from, uint64_t until)
{
    struct loss l;
    const struct item *it = in_hand(s);
    uint64_t at = it->from;

    describe(s, it, kind, &l);
    l.from = from;
    l.until = until;
    l.has_key = l.has_key && it->kind == ITEM_KEY;
    if (kind == LOSS_DAMAGED || s->error.offset <= at || s->error.offset > s->flat->size)
        snprintf(l.reason, sizeof l.reason, "%s", s->error.text);
    else
        snprintf(l.reason, sizeof l.reason, "%.200s (byte %llu)", s->error.text,
                 (unsigned long long)s->error.offset);
    scan_lose(s, &l);
}

/* has_end_mark: could a whole file have these last bytes? */
static bool
has_end_mark(struct scan *s)
{
    uint64_t at = step_end_at(&s->stepper);
    const uint8_t *p = at == UINT64_MAX ? NULL : flat_at(s->flat, at, 1);

    return p != NULL && *p == RDB_OP_EOF;
}

/* is_cut: the file ends in the middle of what begins at `at`. */
static bool
is_cut(struct scan *s, uint64_t at)
{
    uint64_t next;

    return !has_end_mark(s) && step_over(&s->stepper, at, &next) == STEP_CUT &&
           s->stepper.claimed <= CUT_CLAIM_MOST;
}

/* is_end_mark_gone: what was read last began where the end mark belongs, and zeros stand where the
 * checksum would, for which no key ends: it is the end mark that was damaged.  Only what was before
 * it stays in the ring. */
static bool
is_end_mark_gone(struct scan *s)
{
    uint64_t at = step_end_at(&s->stepper);
    const uint8_t *p = at == UINT64_MAX ? NULL : flat_at(s->flat, at, 1 + RDB_CRC_BYTES);

    if (s->version < RDB_CRC_FROM_VERSION || p == NULL || le_load(p + 1, RDB_CRC_BYTES) != 0)
        return false;
    for (unsigned i = 0; i <= s->count; i++)
        if (ring_at(s, i)->from == at) {
            s->count = i;
            in_hand(s)->has_name = false;
            snprintf(s->error.text, sizeof s->error.text, "the end mark is damaged");
            s->error.offset = at;
            return true;
        }
    return false;
}

/* is_followed_by_more: a whole file with its right checksum ends there, and something follows. */
static bool
is_followed_by_more(struct scan *s, uint64_t at)
{
    uint64_t crc = 0, done = 0;
    uint8_t bytes[4096];
    const uint8_t *p = flat_at(s->flat, at, 1 + RDB_CRC_BYTES);
    uint64_t has;

    if (s->section_count > 1 || s->version < RDB_CRC_FROM_VERSION || p == NULL ||
        *p != RDB_OP_EOF || (has = le_load(p + 1, RDB_CRC_BYTES)) == 0)
        return false;
    while (done <= at) {
        size_t n = at + 1 - done < sizeof bytes ? (size_t)(at + 1 - done) : sizeof bytes;

        if (flat_read(s->flat, bytes, done, n) < 0)
            return false;
        crc = crc64(crc, bytes, n);
        done += n;
    }
    return crc == has;
}

/* find_magic: an end mark that is not the file's stands at `at`: where the RDB that it ends begins.
 * 1: *ret; 0 or -errno. */
static int
find_magic(struct scan *s, uint64_t from, uint64_t at, uint64_t *ret)
{
    enum { PIECE_BYTES = 65536 };
    uint8_t *piece = malloc(PIECE_BYTES);
    int r = piece == NULL ? -ENOMEM : 0;

    while (r == 0 && at - from > RDB_MAGIC_BYTES) {
        size_t n = at - from < PIECE_BYTES ? (size_t)(at - from) : PIECE_BYTES;

        if ((r = flat_read(s->flat, piece, at - n, n)) < 0)
            break;
        for (size_t i = n - RDB_MAGIC_BYTES; r == 0 && i-- > 0;)
            if (memcmp(piece + i, "REDIS00", 7) == 0 || memcmp(piece + i, "VALKEY0", 7) == 0) {
                *ret = at - n + i;
                r = 1;
            }
        at -= n - RDB_MAGIC_BYTES;
    }
    free(piece);
    return r;
}

/* is_counted: how many keys the database in hand had is known: so judge() sees whether too many are
 * read (SV4). */
static bool
is_counted(struct scan *s)
{
    const struct db_sum *d;

    for (unsigned i = s->count; i-- > 0;) /* its RESIZEDB may not be settled yet */
        if (ring_at(s, i)->kind == ITEM_RESIZEDB)
            return ring_at(s, i)->is_paired;
        else if (ring_at(s, i)->kind == ITEM_SELECTDB)
            return false;
    d = scan_db(s, s->db);
    return d != NULL && d->said == 1;
}

/* look_back: what was read before the break goes wrong earlier: another path leads by it; or an RDB
 * begins there, and it is its end mark.  1: *ret: since where; 0 or -errno. */
static int
look_back(struct scan *s, uint64_t broken_at, uint64_t *ret)
{
    struct section *sec = section_in_hand(s);
    uint64_t from = sec->from, magic = 0;
    int r, is_passed;

    if (s->no_search || s->looked_back > BACK_ALL_BYTES)
        return 0;
    s->stepper.refused = broken_at;
    s->looked_back += broken_at - from < SEARCH_BACK_BYTES ? broken_at - from : SEARCH_BACK_BYTES;
    is_passed = r = is_counted(s) ? 0 : search_passing(&s->search, from, broken_at, ret);
    if (r < 0 || sec->end != SECTION_ENDED_EARLY)
        return r;
    if (broken_at - from > BACK_IN_FILE_BYTES)
        from = broken_at - BACK_IN_FILE_BYTES;
    s->looked_back += broken_at - from;
    if ((r = find_magic(s, from, broken_at, &magic)) <= 0)
        return r < 0 ? r : is_passed;
    if (is_passed == 0 || magic < *ret)
        *ret = magic;
    return 1;
}

/* find_next: *ret: where the next section begins; *ret_head: how much of it is doubtful (SV5).  1;
 * 0: nowhere; or -errno. */
static int
find_next(struct scan *s, uint64_t broken_at, uint64_t *ret, unsigned *ret_head)
{
    /* the break itself is no boundary; what was read before it perhaps none (SE4) */
    uint64_t from = s->count > 0 ? ring_at(s, 0)->from : broken_at + 1, said, crossing;
    int r;

    *ret_head = 0;
    if (s->no_search || s->section_count == SECTIONS_MOST)
        return 0;
    if ((r = look_back(s, broken_at, &crossing)) < 0)
        return r;
    if (r > 0 && crossing < from) {
        from = crossing;
        if ((r = take_back(s, crossing)) < 0)
            return r;
    }
    if ((s->section_count == 1 || section_in_hand(s)->keys > 0) &&
        step_over(&s->stepper, broken_at, &said) == STEP_KEY) {
        s->stepper.refused = broken_at;
        if ((r = search_confirms(&s->search, broken_at + 1, said)) != 0) {
            *ret_head = 1;
            *ret = said;
            return r;
        }
    }
    s->stepper.refused = broken_at;
    *ret_head = DOUBTED;
    return search_boundary(&s->search, from, is_counted(s), ret);
}

/* search_on: SV1, and the next section.  1: it begins at *at; 0: there is none; or -errno. */
int
search_on(struct scan *s, uint64_t *at)
{
    uint64_t broken_at = in_hand(s)->from, lost_from = broken_at, found = s->flat->size;
    const uint8_t *p = flat_at(s->flat, broken_at, 1);
    struct item broken = *in_hand(s);
    unsigned head;
    int r;

    section_in_hand(s)->until = broken_at;
    section_in_hand(s)->end = p != NULL && *p == RDB_OP_EOF && broken_at != step_end_at(&s->stepper)
                                  ? SECTION_ENDED_EARLY
                                  : SECTION_BROKEN;
    if ((r = find_next(s, broken_at, &found, &head)) < 0)
        return r;
    s->is_out_of_work |= s->stepper.work >= s->stepper.work_most;
    doubt_all(s, found, &lost_from);
    if (lost_from > found) /* all of it is read again */
        lost_from = found;
    *in_hand(s) = broken;
    lose_bytes(s, LOSS_BYTES, lost_from, found);
    if (r == 0)
        return 0;
    *at = found;
    return (r = begin_section(s, found, head, found - lost_from)) < 0 ? r : 1;
}

/* end_cut: the file ends in the middle of what begins there; or that was misread, if a path lives
 * behind it. */
static int
end_cut(struct scan *s, uint64_t at)
{
    struct item broken = *in_hand(s);
    uint64_t found, lost_from = at;
    int r = 0;

    s->stepper.refused = at;
    if (!s->no_search && (r = search_boundary(&s->search, at + 1, false, &found)) < 0)
        return r;
    if (r == 0)
        settle_all(s);
    else
        doubt_all(s, s->flat->size, &lost_from);
    *in_hand(s) = broken;
    lose_bytes(s, r == 0 ? LOSS_CUT : LOSS_BYTES, at, s->flat->size);
    section_in_hand(s)->until = at;
    section_in_hand(s)->end = SECTION_CUT;
    return 0;
}

/* go_past: the item in hand cannot be read.  1: go on at *at; 0: that was all; or -errno. */
int
go_past(struct scan *s, uint64_t *at)
{
    enum step_told told = step_is_told_twice(&s->stepper, in_hand(s)->from);
    uint64_t broken_at = in_hand(s)->from, next = 0;

    if (told != STEP_NOT_TOLD && step_over(&s->stepper, broken_at, &next) == STEP_KEY &&
        search_lives(&s->stepper, next)) {
        struct item broken = *in_hand(s);

        settle_all(s);
        *in_hand(s) = broken;
        lose_bytes(s, LOSS_DAMAGED, broken_at, next);
        s->keys += 1;
        section_in_hand(s)->head = told == STEP_TOLD_SOUND_END ? 0 : 1;
        *at = next;
        return 1;
    }
    if (is_end_mark_gone(s)) {
        broken_at = in_hand(s)->from;
        doubt_all(s, s->flat->size, &broken_at);
        lose_bytes(s, LOSS_BYTES, broken_at, s->flat->size);
        section_in_hand(s)->until = broken_at;
        section_in_hand(s)->end = SECTION_END;
        return 0;
    }
    if (is_cut(s, broken_at))
        return end_cut(s, broken_at);
    if (is_followed_by_more(s, broken_at)) {
        settle_all(s);
        in_hand(s)->has_name = false;
        lose_bytes(s, LOSS_BYTES, broken_at + 1 + RDB_CRC_BYTES, s->flat->size);
        section_in_hand(s)->until = broken_at;
        section_in_hand(s)->end = SECTION_END;
        return 0;
    }
    return search_on(s, at);
}
