/* server/commands/hash/hash_random.c - HRANDFIELD. */
#include "server/commands/hash/hash_key.h"
#include "server/data/hash/hash.h"
#include "server/exec/args.h"
#include "server/exec/handlers.h"
#include "server/net/client.h"
#include "server/net/reply.h"

#include "server/commands/hash/hash.def"

static void
reply_field(void *ctx, struct slice field, struct slice value)
{
    (void)value;
    reply_bulk(ctx, field.ptr, field.len);
}

static void
reply_pair(void *ctx, struct slice field, struct slice value)
{
    struct client *c = ctx;

    if (c->resp == 3)
        reply_array(c, 2);
    reply_bulk(c, field.ptr, field.len);
    reply_bulk(c, value.ptr, value.len);
}

/* reply_many: so many with repetitions, or different ones. */
static void
reply_many(struct client *c, const struct record *r, int64_t count, bool with_values)
{
    uint64_t n = count < 0 ? (uint64_t)-count : (uint64_t)count;
    hash_visitor visit = with_values ? reply_pair : reply_field;
    size_t before = client_pending_out(c);

    if (count > 0)
        n = hash_shown_upto(r, n);
    reply_array(c, with_values && c->resp == 2 ? 2 * n : n);
    if (count < 0) {
        for (; n > 0 && !c->close_now; n--)
            hash_draw(r, visit, c);
    } else if (hash_sample(r, n, visit, c) < 0) {
        reply_take_back(c, before);
        reply_no_memory(c);
    }
}

/* parse_count: arguments 2 and 3. */
static bool
parse_count(struct client *c, int64_t *ret, bool *ret_with_values)
{
    if (!arg_int_either_way(c, 2, ret))
        return false;
    *ret_with_values = c->argc == 4;
    if (c->argc > 4 || (c->argc == 4 && !arg_is(c, 3, "withvalues"))) {
        reply_syntax(c);
        return false;
    }
    if (c->argc == 4 && (*ret < -(INT64_MAX / 2) || *ret > INT64_MAX / 2)) {
        reply_error(c, "ERR value is out of range");
        return false;
    }
    return true;
}

void
cmd_hrandfield(struct client *c)
{
    bool with_values = false;
    struct db_ref ref;
    int64_t count = 1;

    if (c->argc > 2 && !parse_count(c, &count, &with_values))
        return;
    if (!hash_key(c, DB_READ, &ref))
        return;
    if (ref.rec != NULL && record_is_timed(ref.rec) && hash_shown_upto(ref.rec, 1) == 0)
        ref.rec = NULL; /* all that is left has expired, and may not go yet */
    if (c->argc == 2 && ref.rec != NULL)
        hash_draw(ref.rec, reply_field, c);
    else if (c->argc == 2)
        reply_null(c);
    else if (ref.rec == NULL || count == 0)
        reply_array(c, 0);
    else
        reply_many(c, ref.rec, count, with_values);
}
