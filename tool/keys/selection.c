/* tool/keys/selection.c - is a key one of those that are asked for? */
#include "tool/keys/selection.h"

#include <math.h>
#include <stdlib.h>

#include "mm/base/glob.h"
#include "tool/base/hash.h"
#include "tool/keys/selection_impl.h"

static bool
is_any_glob(const struct selection_globs *globs, struct slice name)
{
    for (unsigned i = 0; i < globs->count; i++)
        if (glob_is_all(globs->at[i]) || glob_match(globs->at[i], name, false))
            return true;
    return false;
}

/* is_any_regex: one of them is found in the name, which may hold any byte. */
static bool
is_any_regex(struct selection *s, struct slice name)
{
    for (unsigned i = 0; i < s->regex_count; i++)
        if (re_search(&s->regex[i], name.ptr, (regoff_t)name.len, 0, (regoff_t)name.len, NULL) >= 0)
            return true;
    return false;
}

static bool
is_name_taken(struct selection *s, struct slice name)
{
    if (s->match.count > 0 && !is_any_glob(&s->match, name))
        return false;
    if (s->exclude.count > 0 && is_any_glob(&s->exclude, name))
        return false;
    return s->regex_count == 0 || is_any_regex(s, name);
}

static bool
is_db_taken(const struct selection *s, uint64_t db)
{
    for (unsigned i = 0; i < s->db_count; i++)
        if (s->db[i] == db)
            return true;
    return s->db_count == 0;
}

static bool
is_in(const struct selection_range *r, uint64_t n)
{
    return n >= r->from && n <= r->until;
}

/* is_ttl_taken: a time left is told in whole seconds, as TTL does, but never rounded up. */
static bool
is_ttl_taken(const struct selection *s, int64_t expire_at_ms, int64_t from_ms)
{
    bool is_past = expire_at_ms <= from_ms;

    switch (s->ttl_kind) {
    case SELECTION_TTL_ALL:
        return true;
    case SELECTION_TTL_NONE:
        return expire_at_ms == -1;
    case SELECTION_TTL_ANY:
        return expire_at_ms != -1;
    case SELECTION_TTL_PAST:
        return expire_at_ms != -1 && is_past;
    case SELECTION_TTL_RANGE:
        return expire_at_ms != -1 && !is_past &&
               is_in(&s->ttl, ((uint64_t)expire_at_ms - (uint64_t)from_ms) / 1000);
    }
    never("a kind of --ttl that is none");
}

/* is_sampled: the same for a key of that name in that database whenever it is asked, in whatever
 * file; two seeds have nothing to do with one another. */
static bool
is_sampled(const struct selection *s, const struct rdb_key *key)
{
    uint64_t seed = XXH3_64bits_withSeed(&key->db, sizeof key->db, s->seed);

    return tool_hash(key->name, seed) < s->sampled_below;
}

bool
selection_takes_key(struct selection *s, const struct rdb_key *key, int64_t counted_from_ms)
{
    if (s->is_all)
        return true;
    if (s->kinds != 0 && (s->kinds & 1U << key->kind) == 0)
        return false;
    if (!is_db_taken(s, key->db) || !is_ttl_taken(s, key->expire_at_ms, counted_from_ms))
        return false;
    if (s->has_idle && (key->idle_s < 0 || !is_in(&s->idle, (uint64_t)key->idle_s)))
        return false;
    if (s->has_freq && (key->freq < 0 || !is_in(&s->freq, (uint64_t)key->freq)))
        return false;
    if (s->share < 1 && !is_sampled(s, key))
        return false;
    return is_name_taken(s, key->name);
}

bool
selection_takes_facts(struct selection *s, const struct key_facts *f)
{
    if (s->encodings != 0 && (s->encodings & 1U << f->encoding_number) == 0)
        return false;
    if (s->has_size && !is_in(&s->size, f->record_bytes))
        return false;
    return !s->has_elements ||
           (f->key->kind != RDB_VALUE_STRING && is_in(&s->elements, f->elements));
}

bool
selection_is_all(const struct selection *s)
{
    return s->is_all && !selection_needs_facts(s) && s->limit == 0;
}

bool
selection_needs_facts(const struct selection *s)
{
    return s->encodings != 0 || s->has_size || s->has_elements;
}

uint64_t
selection_left(const struct selection *s)
{
    return s->limit == 0 ? UINT64_MAX : s->limit - s->taken;
}

bool
selection_count(struct selection *s)
{
    s->taken++;
    return s->taken == s->limit;
}

double
selection_share(const struct selection *s)
{
    return s->share;
}

double
selection_error(const struct selection *s, double squares)
{
    return sqrt((1 - s->share) * squares) / s->share;
}

void
selection_free(struct selection *s)
{
    if (s == NULL)
        return;
    for (unsigned i = 0; i < s->regex_count; i++)
        regfree(&s->regex[i]);
    free(s->regex);
    free(s->match.at);
    free(s->exclude.at);
    free(s->db);
    free(s);
}
