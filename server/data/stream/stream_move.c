/* server/data/stream/stream_move.c - the blocks of a stream move: nodes and their tree; groups,
 * what is pending in them, their consumers. */
#include "server/data/db/move.h"
#include "server/data/stream/stream.h"

/* A consumer is named by each entry that is pending for it.  One with more of them than this stays
 * where it is: what hangs on it takes as much memory as the slab that it keeps from going. */
enum { NAMED_MAX = 1000, NAMED_COST = 4 };

/* The walk: stage 0 are the stream's nodes, stage n its group n - 1; of a group, part 0 is what is
 * pending, part n the consumer n - 1; of a tree, the id that comes next. */
enum { STAGE, PART, MS, SEQ };

/* move_consumer: number i of the group. */
static const struct stream_consumer *
move_consumer(const struct stream_group *g, struct mover *m, uint32_t i)
{
    const struct stream_consumer *c = stream_consumer_at(g, i), *to;
    struct idcursor at;
    bool more;

    if (mm_wants_move(c) && c->pending.count > NAMED_MAX) {
        m->stayed++;
        return c;
    }
    if ((to = move_ask(m, c)) == c)
        return c;
    move_set(&g->consumers.at[i], to);
    for (more = idcursor_from(&at, &to->pending, (struct stream_id){0, 0}); more;
         more = idcursor_next(&at)) {
        const struct stream_pending *p = idtree_find(&g->pending, idcursor_id(&at));

        move_set(&p->consumer, to); /* X3 */
        m->left -= NAMED_COST;
    }
    return to;
}

static bool
move_tree(const struct idtree *t, struct mover *m, uint64_t next[4], bool with_values)
{
    struct stream_id id = {next[MS], next[SEQ]};
    bool done = idtree_move(t, m, &id, with_values);

    next[MS] = done ? 0 : id.ms;
    next[SEQ] = done ? 0 : id.seq;
    return done;
}

/* is_first: the walk comes to a tree, and to what holds it. */
static bool
is_first(const uint64_t next[4])
{
    return next[MS] == 0 && next[SEQ] == 0;
}

/* move_group: number i of the stream; true: all of it was come to. */
static bool
move_group(const struct stream *s, struct mover *m, uint32_t i, uint64_t next[4])
{
    const struct stream_group *g;

    if (next[PART] == 0) {
        if (is_first(next)) {
            move_at(m, &s->groups.at[i]);
            if (stream_group_at(s, i)->consumers.at != NULL)
                move_at(m, &stream_group_at(s, i)->consumers.at);
        }
        if (!move_tree(&stream_group_at(s, i)->pending, m, next, false))
            return false;
        next[PART] = 1;
    }
    g = stream_group_at(s, i);
    while (next[PART] <= g->consumers.count) {
        uint32_t number = (uint32_t)next[PART] - 1;
        const struct stream_consumer *c =
            is_first(next) ? move_consumer(g, m, number) : stream_consumer_at(g, number);

        if (!move_tree(&c->pending, m, next, false))
            return false;
        next[PART]++;
        if (m->left <= 0)
            break;
    }
    if (next[PART] <= g->consumers.count)
        return false;
    next[PART] = 0;
    return true;
}

bool
stream_move(const struct stream *s, struct mover *m, uint64_t next[4])
{
    if (next[STAGE] == 0) {
        if (is_first(next) && s->groups.at != NULL)
            move_at(m, &s->groups.at);
        if (!move_tree(&s->nodes, m, next, true))
            return false;
        next[STAGE] = 1;
    }
    while (next[STAGE] <= s->groups.count) {
        if (!move_group(s, m, (uint32_t)next[STAGE] - 1, next))
            return false;
        next[STAGE]++;
        if (m->left <= 0)
            break;
    }
    return next[STAGE] > s->groups.count;
}
