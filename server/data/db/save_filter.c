/* server/data/db/save_filter.c - is this key part of the copy?  The contract is in
 * save_filter.h. */
#include "server/data/db/save_filter.h"

#include <stdlib.h>
#include <string.h>

#include "mm/base/fault.h"
#include "mm/base/glob.h"
#include "mm/base/must.h"
#include "server/data/db/save_value.h"

/* Between two looks at the cancel flag, and two quiescent states: at most so many steps of a
 * pattern, each of at most SAVE_PATTERN_BYTES_MAX of its bytes. */
enum { STEPS = 4096 };

struct save_filter {
    uint32_t types;
    int db_limit; /* one above the highest database that is named; 0: all are taken */
    uint8_t *dbs; /* [owned] a bit for each */
    int pattern_count;
    struct slice *patterns; /* [owned] */
};

static int
note_dbs(struct save_filter *f, const struct save_choice *choice)
{
    for (int i = 0; i < choice->db_count; i++)
        if (choice->dbs[i] >= f->db_limit)
            f->db_limit = choice->dbs[i] + 1;
    if ((f->dbs = calloc((size_t)f->db_limit / 8 + 1, 1)) == NULL)
        return -1;
    for (int i = 0; i < choice->db_count; i++) {
        must(choice->dbs[i] >= 0);
        f->dbs[choice->dbs[i] / 8] |= (uint8_t)(1 << choice->dbs[i] % 8);
    }
    return 0;
}

static int
note_patterns(struct save_filter *f, const struct save_choice *choice)
{
    must(choice->pattern_count <= SAVE_PATTERNS_MAX);
    if (choice->pattern_count == 0)
        return 0;
    f->patterns = malloc(slices_bytes(choice->patterns, choice->pattern_count));
    if (f->patterns == NULL)
        return -1;
    slices_copy(f->patterns, choice->patterns, choice->pattern_count);
    f->pattern_count = choice->pattern_count;
    return 0;
}

struct save_filter *
save_filter_new(const struct save_choice *choice)
{
    struct save_filter *f = fault_point(FAULT_job_alloc) ? NULL : calloc(1, sizeof *f);

    if (f == NULL)
        return NULL;
    f->types = choice->types;
    if (note_dbs(f, choice) == 0 && note_patterns(f, choice) == 0)
        return f;
    save_filter_free(f);
    return NULL;
}

void
save_filter_free(struct save_filter *f)
{
    if (f == NULL)
        return;
    free(f->dbs);
    free(f->patterns);
    free(f);
}

bool
save_filter_takes_db(const struct save_filter *f, int db)
{
    debug_check(db >= 0);
    if (f == NULL || f->db_limit == 0)
        return true;
    return db < f->db_limit && (f->dbs[db / 8] >> db % 8 & 1) != 0;
}

bool
save_filter_takes_whole(const struct save_filter *f)
{
    return f == NULL || (f->types == 0 && f->pattern_count == 0);
}

/* read_piece: a part of the key's name, from byte `at` on: what is staged of it anyway, or the next
 * chunk of the arena.  0 or -errno. */
static int
read_piece(struct save_work *w, const struct save_item *s, uint64_t at, struct slice *ret,
           uint64_t *ret_at)
{
    struct slice key = record_key(s->rec);
    size_t key_at = record_key_at(s->rec), staged = s->bytes - key_at, left = key.len - at;

    if (at < staged) {
        *ret = (struct slice){key.ptr, key.len < staged ? key.len : staged};
        *ret_at = 0;
        return 0;
    }
    *ret = (struct slice){(const char *)w->buffer,
                          left < SAVE_BUFFER_BYTES ? left : SAVE_BUFFER_BYTES};
    *ret_at = at;
    return view_read(w->view, w->buffer, s->live + key_at + at, ret->len);
}

/* matches: 1, 0 or -errno.  A piece that begins where the walk stands is longer than any
 * pattern, or is the name's end: each gets on. */
static int
matches(struct slice pattern, struct save_work *w, const struct save_item *s)
{
    struct glob_walk walk;
    struct slice piece = {.len = 0};
    uint64_t piece_at = 0;
    int r;

    if (glob_is_all(pattern))
        return 1;
    glob_begin(&walk, pattern, record_key_len(s->rec), false);
    if ((r = read_piece(w, s, 0, &piece, &piece_at)) < 0)
        return r;
    for (;;) {
        enum glob_state state = glob_go_on(&walk, piece, piece_at, STEPS);

        if (state != GLOB_AGAIN)
            return state == GLOB_YES;
        if ((r = save_breath(w)) < 0)
            return r;
        if ((walk.at < piece_at || walk.at - piece_at >= piece.len) &&
            (r = read_piece(w, s, walk.at, &piece, &piece_at)) < 0)
            return r;
    }
}

int
save_filter_takes(const struct save_filter *f, int db, struct save_work *w,
                  const struct save_item *s)
{
    int r = 0;

    if (f == NULL)
        return 1;
    if (!save_filter_takes_db(f, db) ||
        (f->types != 0 && (f->types >> record_type(s->rec) & 1) == 0))
        return 0;
    for (int i = 0; i < f->pattern_count && r == 0; i++)
        r = matches(f->patterns[i], w, s);
    return f->pattern_count == 0 ? 1 : r;
}
