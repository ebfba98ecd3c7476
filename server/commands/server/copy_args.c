/* server/commands/server/copy_args.c - what BGSAVE TO is asked for.  The contract is in
 * copy_args.h. */
#include "server/commands/server/copy_args.h"

#include "server/data/db/value.h"
#include "server/exec/args.h"
#include "server/net/client.h"
#include "server/net/reply.h"

static bool
add_db(struct client *c, int i, struct copy_args *a)
{
    int db;

    if (a->choice.db_count == SAVE_PATTERNS_MAX) {
        reply_errorf(c, "ERR BGSAVE TO takes DB at most %d times", SAVE_PATTERNS_MAX);
        return false;
    }
    if (!arg_db_number(c, i, &db))
        return false;
    a->dbs[a->choice.db_count++] = db;
    return true;
}

static bool
add_pattern(struct client *c, int i, struct copy_args *a)
{
    if (a->choice.pattern_count == SAVE_PATTERNS_MAX) {
        reply_errorf(c, "ERR BGSAVE TO takes MATCH at most %d times", SAVE_PATTERNS_MAX);
        return false;
    }
    if (c->argv[i].len > SAVE_PATTERN_BYTES_MAX) {
        reply_errorf(c, "ERR a pattern of BGSAVE TO has at most %d bytes", SAVE_PATTERN_BYTES_MAX);
        return false;
    }
    a->patterns[a->choice.pattern_count++] = c->argv[i];
    return true;
}

static bool
add_type(struct client *c, int i, struct copy_args *a)
{
    uint32_t types = 0;

    for (int type = 0; type < TYPE_COUNT; type++) /* two of them are hashes */
        if (arg_is(c, i, value_type_name((enum value_type)type)))
            types |= 1u << type;
    a->choice.types |= types;
    if (types != 0)
        return true;
    reply_errorf(c, "ERR unknown type '%.*s', a type is string, list, set, zset, hash or stream",
                 slice_shown(c->argv[i]), c->argv[i].ptr);
    return false;
}

bool
copy_args_parse(struct client *c, int i, struct copy_args *ret)
{
    bool is_good = true;

    ret->choice = (struct save_choice){.dbs = ret->dbs, .patterns = ret->patterns};
    ret->waits = false;
    for (; i < c->argc && is_good; i++) {
        bool has_value = i + 1 < c->argc;

        if (has_value && arg_is(c, i, "db")) {
            is_good = add_db(c, ++i, ret);
        } else if (has_value && arg_is(c, i, "match")) {
            is_good = add_pattern(c, ++i, ret);
        } else if (has_value && arg_is(c, i, "type")) {
            is_good = add_type(c, ++i, ret);
        } else if (arg_is(c, i, "wait") && !ret->waits) {
            ret->waits = true;
        } else {
            reply_syntax(c);
            is_good = false;
        }
    }
    return is_good;
}
