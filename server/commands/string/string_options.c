/* server/commands/string/string_options.c - see string_options.h. */
#include "server/commands/string/string_options.h"

#include "server/commands/generic/ttl.h"
#include "server/data/db/record.h"
#include "server/exec/args.h"
#include "server/exec/cmd.h"
#include "server/net/client.h"
#include "server/net/reply.h"

const struct expiry_word string_expiry_words[EXPIRY_WORDS] = {
    [EXPIRY_EX] = {"ex", true, false},
    [EXPIRY_PX] = {"px", false, false},
    [EXPIRY_EXAT] = {"exat", true, true},
    [EXPIRY_PXAT] = {"pxat", false, true}};

const struct expiry_word *
string_expiry_word(const struct client *c, int i)
{
    for (int k = 0; k < EXPIRY_WORDS; k++)
        if (arg_is(c, i, string_expiry_words[k].word))
            return &string_expiry_words[k];
    return NULL;
}

bool
string_parse_expiry(struct client *c, int i, const struct expiry_word *w, int64_t *ret)
{
    int64_t n;

    if (!arg_int(c, i, &n))
        return false;
    if (n <= 0 || !ttl_deadline(n, w->seconds, w->absolute, ret)) {
        reply_errorf(c, "ERR invalid expire time in '%s' command", c->cmd->full_name);
        return false;
    }
    return true;
}

/* take_condition: argument i and the one behind it are one, and the only one. */
static bool
take_condition(const struct client *c, int i, struct set_options *o)
{
    enum string_condition_kind kind = string_condition_word(c, i);

    if (kind == IF_ANY || i + 1 >= c->argc || o->nx || o->xx ||
        (o->condition.kind != IF_ANY && o->condition.kind != kind))
        return false;
    o->condition = (struct string_condition){.kind = kind, .at = i + 1};
    return true;
}

/* The words are all read before a number in them is looked at. */
bool
string_parse_options(struct client *c, int from, bool is_set, struct set_options *o)
{
    const struct expiry_word *w = NULL, *this;
    int number_at = 0;

    *o = (struct set_options){.expire_at_ms = RECORD_NO_EXPIRE};
    for (int i = from; i < c->argc; i++) {
        if (arg_is(c, i, "nx") && !o->xx && o->condition.kind == IF_ANY) {
            o->nx = true;
        } else if (arg_is(c, i, "xx") && !o->nx && o->condition.kind == IF_ANY) {
            o->xx = true;
        } else if (is_set && arg_is(c, i, "get")) {
            o->get = true;
        } else if (arg_is(c, i, "keepttl") && w == NULL) {
            o->keep_ttl = true;
        } else if ((this = string_expiry_word(c, i)) != NULL && (w == NULL || w == this) &&
                   !o->keep_ttl && i + 1 < c->argc) {
            w = this;
            number_at = ++i;
        } else if (is_set && take_condition(c, i, o)) {
            i++;
        } else {
            reply_syntax(c);
            return false;
        }
    }
    return w == NULL || string_parse_expiry(c, number_at, w, &o->expire_at_ms);
}
