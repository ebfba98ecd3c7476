/* server/commands/geo/geo_search.c - GEOSEARCH, GEOSEARCHSTORE, GEORADIUS, GEORADIUSBYMEMBER and
 * their _RO forms. */
#include <errno.h>
#include <stdlib.h>

#include "mm/base/text.h"
#include "server/commands/geo/geo.h"
#include "server/commands/sorted_set/zset.h"
#include "server/data/db/db.h"
#include "server/exec/args.h"
#include "server/exec/handlers.h"
#include "server/net/reply.h"

#include "server/commands/geo/geo.def"

enum geo_order { ORDER_NONE, ORDER_NEAR, ORDER_FAR };

/* Which command it is. */
struct geo_form {
    bool is_search;  /* GEOSEARCH and GEOSEARCHSTORE: shape and place are options */
    bool may_store;  /* STORE and STOREDIST are options */
    bool by_member;  /* GEORADIUSBYMEMBER */
    int source;      /* the argument that is the key */
    int options;     /* the first argument that is an option */
    int destination; /* of GEOSEARCHSTORE; 0 */
};

struct geo_query {
    const struct geo_form *form;
    struct geo_shape shape;
    enum geo_order order;
    bool with_dist, with_hash, with_coord, any, store_dist;
    bool from_member, from_point, by_radius, by_box;
    int64_t count;   /* 0: all */
    int destination; /* the argument; 0: the results are replied */
};

/* ---- arguments ---- */

/* parse_radius: radius and unit at i. */
static bool
parse_radius(struct client *c, int i, struct geo_shape *s)
{
    if (!arg_double(c, i, "ERR need numeric radius", &s->radius))
        return false;
    if (s->radius < 0) {
        reply_error(c, "ERR radius cannot be negative");
        return false;
    }
    s->is_box = false;
    return geo_arg_unit(c, i + 1, &s->unit);
}

static bool
parse_box(struct client *c, int i, struct geo_shape *s)
{
    if (!arg_double(c, i, "ERR need numeric width", &s->width) ||
        !arg_double(c, i + 1, "ERR need numeric height", &s->height))
        return false;
    if (s->width < 0 || s->height < 0) {
        reply_error(c, "ERR height or width cannot be negative");
        return false;
    }
    s->is_box = true;
    return geo_arg_unit(c, i + 2, &s->unit);
}

static bool
parse_count(struct client *c, int i, int64_t *ret)
{
    if (!arg_int(c, i, ret))
        return false;
    if (*ret <= 0)
        reply_error(c, "ERR COUNT must be > 0");
    return *ret > 0;
}

/* place_of_member: the center is where this member is; without a key there is nothing to look
 * for. */
static bool
place_of_member(struct client *c, int i, const struct record *r, struct geo_point *ret)
{
    double score;

    if (r == NULL || geo_member(r, c->argv[i], ret, &score))
        return true;
    reply_error(c, "ERR could not decode requested zset member");
    return false;
}

/* parse_flag: an option that is one word. */
static bool
parse_flag(const struct client *c, int i, struct geo_query *q)
{
    if (arg_is(c, i, "withdist"))
        q->with_dist = true;
    else if (arg_is(c, i, "withhash"))
        q->with_hash = true;
    else if (arg_is(c, i, "withcoord"))
        q->with_coord = true;
    else if (arg_is(c, i, "any"))
        q->any = true;
    else if (arg_is(c, i, "asc"))
        q->order = ORDER_NEAR;
    else if (arg_is(c, i, "desc"))
        q->order = ORDER_FAR;
    else if (q->form->destination != 0 && arg_is(c, i, "storedist"))
        q->store_dist = true;
    else
        return false;
    return true;
}

/* parse_option: the one at i; returns how many arguments belong to it, -1: an error was replied. */
static int
parse_option(struct client *c, int i, const struct record *r, struct geo_query *q)
{
    int behind = c->argc - i - 1;
    bool search = q->form->is_search;

    if (parse_flag(c, i, q))
        return 1;
    if (arg_is(c, i, "count") && behind >= 1)
        return parse_count(c, i + 1, &q->count) ? 2 : -1;
    if (q->form->may_store && behind >= 1 && (arg_is(c, i, "store") || arg_is(c, i, "storedist"))) {
        q->store_dist = arg_is(c, i, "storedist");
        q->destination = i + 1;
        return 2;
    }
    if (search && arg_is(c, i, "frommember") && behind >= 1 && !q->from_point) {
        q->from_member = true;
        return place_of_member(c, i + 1, r, &q->shape.center) ? 2 : -1;
    }
    if (search && arg_is(c, i, "fromlonlat") && behind >= 2 && !q->from_member) {
        q->from_point = true;
        return geo_arg_point(c, i + 1, &q->shape.center) ? 3 : -1;
    }
    if (search && arg_is(c, i, "byradius") && behind >= 2 && !q->by_box) {
        q->by_radius = true;
        return parse_radius(c, i + 1, &q->shape) ? 3 : -1;
    }
    if (search && arg_is(c, i, "bybox") && behind >= 3 && !q->by_radius) {
        q->by_box = true;
        return parse_box(c, i + 1, &q->shape) ? 4 : -1;
    }
    reply_syntax(c);
    return -1;
}

/* parse_head: what stands before the options. */
static bool
parse_head(struct client *c, const struct record *r, struct geo_query *q)
{
    if (q->form->is_search)
        return true;
    if (q->form->by_member)
        return r == NULL ||
               (place_of_member(c, 2, r, &q->shape.center) && parse_radius(c, 3, &q->shape));
    return geo_arg_point(c, 2, &q->shape.center) && parse_radius(c, 4, &q->shape);
}

/* check: options that do not go together. */
static bool
check(struct client *c, const struct geo_query *q)
{
    struct slice name = c->argv[0];

    if (q->destination != 0 && (q->with_dist || q->with_hash || q->with_coord))
        reply_errorf(c, "ERR %s is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
                     q->form->is_search ? "GEOSEARCHSTORE" : "STORE option in GEORADIUS");
    else if (q->form->is_search && !q->from_member && !q->from_point)
        reply_errorf(c, "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for %.*s",
                     (int)name.len, name.ptr);
    else if (q->form->is_search && !q->by_radius && !q->by_box)
        reply_errorf(c, "ERR exactly one of BYRADIUS and BYBOX can be specified for %.*s",
                     (int)name.len, name.ptr);
    else if (q->any && q->count == 0)
        reply_error(c, "ERR the ANY argument requires COUNT argument");
    else
        return true;
    return false;
}

static bool
parse(struct client *c, const struct record *r, struct geo_query *q)
{
    if (!parse_head(c, r, q))
        return false;
    for (int i = q->form->options, words; i < c->argc; i += words)
        if ((words = parse_option(c, i, r, q)) < 0)
            return false;
    if (!check(c, q))
        return false;
    if (q->count != 0 && q->order == ORDER_NONE && !q->any)
        q->order = ORDER_NEAR; /* the nearest, not any */
    return true;
}

/* ---- searching ---- */

struct geo_found {
    double score, distance; /* metres */
    struct geo_point place;
    size_t member_at, member_len; /* in the text of all members */
};

struct geo_results {
    const struct geo_query *query;
    struct geo_found *at;
    uint64_t count, room, limit; /* limit 0: none */
    struct text members;
    bool failed;
};

static bool
is_full(const struct geo_results *g)
{
    return g->failed || (g->limit > 0 && g->count >= g->limit);
}

static bool
make_room(struct geo_results *g)
{
    enum { FIRST = 64 };
    uint64_t room = g->room == 0 ? FIRST : g->room * 2;
    struct geo_found *more;

    if (g->count < g->room)
        return true;
    if ((more = realloc(g->at, room * sizeof *more)) == NULL)
        return false;
    g->at = more;
    g->room = room;
    return true;
}

static void
look_at(void *ctx, struct slice member, double score)
{
    struct geo_results *g = ctx;
    struct geo_found f = {.score = score, .place = geo_place(score)};

    if (is_full(g) || !geo_contains(&g->query->shape, f.place, &f.distance))
        return;
    f.member_at = g->members.len;
    f.member_len = member.len;
    text_add_bytes(&g->members, member.ptr, member.len);
    if (g->members.failed || !make_room(g)) {
        g->failed = true;
        return;
    }
    g->at[g->count++] = f;
}

/* search_cell: in pieces, to stop where enough was found. */
static void
search_cell(const struct record *r, struct geo_cell cell, struct geo_results *g)
{
    enum { PIECE = 256 };
    struct zbound min = {.score = 0}, max = {.exclusive = true};
    uint64_t from, to;

    geo_scores(cell, &min.score, &max.score);
    from = zset_from(r, &min);
    to = zset_to(r, &max);
    for (; from < to && !is_full(g); from += PIECE)
        zset_range(r, from, to - from < PIECE ? to - from : PIECE, false, look_at, g);
}

/* search: cells that are the same as the one before (the map is narrower than the shape) are left
 * out. */
static void
search(const struct record *r, struct geo_results *g)
{
    struct geo_cell cells[GEO_CELLS];
    unsigned last = 0;

    geo_cells(&g->query->shape, cells);
    for (unsigned i = 0; i < GEO_CELLS && !is_full(g); i++) {
        if (cells[i].step == 0 || (last > 0 && cells[i].bits == cells[last].bits))
            continue;
        search_cell(r, cells[i], g);
        last = i;
    }
}

static int
compare_near(const void *a, const void *b)
{
    const struct geo_found *x = a, *y = b;

    if (x->distance != y->distance)
        return x->distance < y->distance ? -1 : 1;
    return x->member_at < y->member_at ? -1 : x->member_at > y->member_at;
}

static int
compare_far(const void *a, const void *b)
{
    const struct geo_found *x = a, *y = b;

    if (x->distance != y->distance)
        return x->distance > y->distance ? -1 : 1;
    return x->member_at < y->member_at ? -1 : x->member_at > y->member_at;
}

static struct slice
member_of(const struct geo_results *g, const struct geo_found *f)
{
    return (struct slice){.ptr = text_str(&g->members) + f->member_at, .len = f->member_len};
}

/* ---- results ---- */

static void
reply_found(struct client *c, const struct geo_results *g)
{
    const struct geo_query *q = g->query;
    size_t extras = (size_t)q->with_dist + q->with_hash + q->with_coord;

    reply_array(c, g->count);
    for (uint64_t i = 0; i < g->count; i++) {
        struct slice member = member_of(g, &g->at[i]);

        if (extras > 0)
            reply_array(c, extras + 1);
        reply_bulk(c, member.ptr, member.len);
        if (q->with_dist)
            geo_reply_distance(c, g->at[i].distance / q->shape.unit);
        if (q->with_hash)
            reply_int(c, (int64_t)g->at[i].score);
        if (q->with_coord)
            geo_reply_point(c, g->at[i].place);
    }
}

/* store_found: scores are the places, or with STOREDIST the distances. */
static void
store_found(struct client *c, const struct geo_results *g)
{
    const struct geo_query *q = g->query;
    const struct zroot *z = zroot_new();
    /* each element counts */
    struct zset_told told = {q->form->is_search ? "geosearchstore" : "georadiusstore", g->count};

    for (uint64_t i = 0; z != NULL && i < g->count; i++) {
        const struct geo_found *f = &g->at[i];
        double score = q->store_dist ? f->distance / q->shape.unit : f->score;

        if (zroot_collect(z, score, member_of(g, f)) == NULL) {
            zroot_free(z);
            z = NULL;
        }
    }
    if (z == NULL) {
        reply_no_memory(c);
        return;
    }
    zset_store(c, c->argv[q->destination], z, told);
}

static void
answer(struct client *c, struct geo_results *g)
{
    const struct geo_query *q = g->query;

    if (q->order != ORDER_NONE && g->count > 1)
        qsort(g->at, g->count, sizeof *g->at, q->order == ORDER_NEAR ? compare_near : compare_far);
    if (q->count > 0 && g->count > (uint64_t)q->count)
        g->count = (uint64_t)q->count;
    if (q->destination != 0)
        store_found(c, g);
    else
        reply_found(c, g);
}

static void
run(struct client *c, const struct geo_form *form)
{
    struct geo_query q = {.form = form, .destination = form->destination};
    struct geo_results g = {.query = &q};
    struct db_ref ref;

    if (!zset_find_key(c, form->source, DB_READ, &ref) || !parse(c, ref.rec, &q))
        return;
    g.limit = q.any ? (uint64_t)q.count : 0;
    if (ref.rec != NULL)
        search(ref.rec, &g);
    if (g.failed)
        reply_no_memory(c);
    else
        answer(c, &g);
    free(g.at);
    text_free(&g.members);
}

void
cmd_geosearch(struct client *c)
{
    run(c, &(struct geo_form){.is_search = true, .source = 1, .options = 2});
}

void
cmd_geosearchstore(struct client *c)
{
    run(c, &(struct geo_form){.is_search = true, .source = 2, .options = 3, .destination = 1});
}

void
cmd_georadius(struct client *c)
{
    run(c, &(struct geo_form){.may_store = true, .source = 1, .options = 6});
}

void
cmd_georadius_ro(struct client *c)
{
    run(c, &(struct geo_form){.source = 1, .options = 6});
}

void
cmd_georadiusbymember(struct client *c)
{
    run(c, &(struct geo_form){.may_store = true, .by_member = true, .source = 1, .options = 5});
}

void
cmd_georadiusbymember_ro(struct client *c)
{
    run(c, &(struct geo_form){.by_member = true, .source = 1, .options = 5});
}
