/* server/commands/hash/hash_expire.c - when fields expire: HEXPIRE, HTTL, HPERSIST and their
 * kin. */
#include <stdlib.h>

#include "mm/base/clock.h"
#include "server/commands/hash/hash_fields.h"
#include "server/commands/hash/hash_key.h"
#include "server/exec/args.h"
#include "server/exec/handlers.h"
#include "server/net/reply.h"

#include "server/commands/hash/hash.def"

/* What is answered for a field. */
enum { NO_FIELD = -2, NO_TIME = -1, NOT_MET = 0, DONE = 1, DELETED = 2 };

enum condition { ALWAYS, IF_NONE, IF_ANY, IF_LATER, IF_EARLIER };

static enum condition
parse_condition(struct client *c, int i)
{
    static const char *const words[] = {
        [IF_NONE] = "nx", [IF_ANY] = "xx", [IF_LATER] = "gt", [IF_EARLIER] = "lt"};

    for (enum condition k = IF_NONE; k <= IF_EARLIER; k++)
        if (arg_is(c, i, words[k]))
            return k;
    return ALWAYS;
}

/* is_met: no time counts as the latest of all. */
static bool
is_met(enum condition k, int64_t now, int64_t wanted)
{
    bool has = now != RECORD_NO_EXPIRE;

    switch (k) {
    case ALWAYS:
        return true;
    case IF_NONE:
        return !has;
    case IF_ANY:
        return has;
    case IF_LATER:
        return has && wanted > now;
    case IF_EARLIER:
        return !has || wanted < now;
    }
    never("a condition");
}

/* The answers, one for each field, and what is to be done. */
struct job {
    const struct slice *fields;
    int count;
    int8_t *answers;
    struct same_words same;
    struct field_plan plan;
};

static bool
job_init(struct job *j, struct client *c, int first, int count)
{
    *j = (struct job){.fields = c->argv + first, .count = count};
    if ((j->answers = malloc((size_t)count)) == NULL)
        goto no_memory;
    if (!field_plan_init(&j->plan, count))
        goto free_answers;
    if (same_words_init(&j->same, j->fields, count))
        return true;
    field_plan_fini(&j->plan);
free_answers:
    free(j->answers);
no_memory:
    reply_no_memory(c);
    return false;
}

static void
job_fini(struct job *j)
{
    free(j->answers);
    same_words_fini(&j->same);
    field_plan_fini(&j->plan);
}

/* job_run: what the plan says; then the answers. */
static void
job_run(struct job *j, struct client *c, struct db_ref *ref, const char *event)
{
    if (field_plan_run(c, ref, &j->plan, event) < 0) {
        reply_no_memory(c);
        return;
    }
    reply_array(c, (size_t)j->count);
    for (int i = 0; i < j->count; i++)
        reply_int(c, j->answers[i]);
}

static void
reply_no_fields(struct client *c, int count)
{
    reply_array(c, (size_t)count);
    while (--count >= 0)
        reply_int(c, NO_FIELD);
}

/* job_begin: false: it has been replied to; there is no such hash, or no memory. */
static bool
job_begin(struct job *j, struct client *c, const struct db_ref *ref, int first, int count)
{
    if (ref->rec != NULL)
        return job_init(j, c, first, count);
    reply_no_fields(c, count);
    return false;
}

/* ---- HEXPIRE and its kin ---- */

/* answer_again: for a field that was answered for before, in the same command. */
static int8_t
answer_again(int8_t before, enum condition k)
{
    if (before == DELETED)
        return NO_FIELD;
    /* It has the very time that is wanted. */
    return before == DONE && k != ALWAYS && k != IF_ANY ? NOT_MET : before;
}

static void
decide(struct job *j, const struct record *r, enum condition k, int64_t at_ms)
{
    for (int i = 0; i < j->count; i++) {
        int earlier = same_words_earlier(&j->same, i);
        int64_t now;

        if (earlier != i)
            j->answers[i] = answer_again(j->answers[earlier], k);
        else if (!hash_expiry(r, j->fields[i], &now))
            j->answers[i] = NO_FIELD;
        else if (!is_met(k, now, at_ms))
            j->answers[i] = NOT_MET;
        else
            j->answers[i] = field_plan_expiry(&j->plan, j->fields[i], at_ms) ? DELETED : DONE;
    }
}

static void
expire(struct client *c, bool in_seconds, bool is_absolute)
{
    enum condition k;
    struct db_ref ref;
    struct job j;
    int64_t at_ms;
    int first, count;

    if (!hash_key(c, DB_WRITE, &ref) || !hash_time(c, 2, in_seconds, is_absolute, &at_ms))
        return;
    k = parse_condition(c, 3);
    if (!hash_fields(c, 3 + (k != ALWAYS), "ERR Parameter `numFields` should be greater than 0",
                     &first, &count))
        return;
    if (!job_begin(&j, c, &ref, first, count))
        return;
    decide(&j, ref.rec, k, at_ms);
    job_run(&j, c, &ref, "hexpire");
    job_fini(&j);
}

void
cmd_hexpire(struct client *c)
{
    expire(c, true, false);
}

void
cmd_hpexpire(struct client *c)
{
    expire(c, false, false);
}

void
cmd_hexpireat(struct client *c)
{
    expire(c, true, true);
}

void
cmd_hpexpireat(struct client *c)
{
    expire(c, false, true);
}

/* ---- HTTL and its kin ---- */

static const char bad_count[] = "ERR Number of fields must be a positive integer";

static void
ttl(struct client *c, bool in_seconds, bool is_absolute)
{
    int64_t base = is_absolute ? 0 : clock_now.ms, at_ms;
    struct db_ref ref;
    int first, count;

    if (!hash_key(c, DB_LOOK, &ref) || !hash_fields(c, 2, bad_count, &first, &count))
        return;
    if (ref.rec == NULL) {
        reply_no_fields(c, count);
        return;
    }
    reply_array(c, (size_t)count);
    for (int i = first; i < first + count; i++)
        if (!hash_expiry(ref.rec, c->argv[i], &at_ms))
            reply_int(c, NO_FIELD);
        else if (at_ms == RECORD_NO_EXPIRE)
            reply_int(c, NO_TIME);
        else
            reply_int(c, in_seconds ? (at_ms - base + 999) / 1000 : at_ms - base);
}

void
cmd_httl(struct client *c)
{
    ttl(c, true, false);
}

void
cmd_hpttl(struct client *c)
{
    ttl(c, false, false);
}

void
cmd_hexpiretime(struct client *c)
{
    ttl(c, true, true);
}

void
cmd_hpexpiretime(struct client *c)
{
    ttl(c, false, true);
}

/* ---- HPERSIST ---- */

void
cmd_hpersist(struct client *c)
{
    struct db_ref ref;
    struct job j;
    int64_t at_ms;
    int first, count;

    if (!hash_key(c, DB_WRITE, &ref) || !hash_fields(c, 2, bad_count, &first, &count))
        return;
    if (!job_begin(&j, c, &ref, first, count))
        return;
    for (int i = 0; i < count; i++) {
        int earlier = same_words_earlier(&j.same, i);

        if (earlier != i) {
            j.answers[i] = j.answers[earlier] == DONE ? NO_TIME : j.answers[earlier];
        } else if (!hash_expiry(ref.rec, j.fields[i], &at_ms)) {
            j.answers[i] = NO_FIELD;
        } else if (at_ms == RECORD_NO_EXPIRE) {
            j.answers[i] = NO_TIME;
        } else {
            j.answers[i] = DONE;
            field_plan_expiry(&j.plan, j.fields[i], RECORD_NO_EXPIRE);
        }
    }
    job_run(&j, c, &ref, "hpersist");
    job_fini(&j);
}
