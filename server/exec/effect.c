/* server/exec/effect.c - effects: kept while the command runs, told when it is over. */
#include "server/exec/effect.h"

#include <stdlib.h>
#include <string.h>

#include "mm/base/fault.h"
#include "server/data/db/db.h"
#include "server/exec/keyevent.h"
#include "server/net/client.h"

bool effects_are_wanted;

static effect_listener listener;
static bool is_hushed;
static struct effect_scope *scope; /* of the command that runs; NULL: none */

/* What the running commands have said: per effect the number of words, then each word's length and
 * bytes.  Those of an inner command stand behind those of an outer one. */
static struct said {
    char *at; /* [owned] */
    size_t len, room;
} said;

enum { KEPT_BYTES = 64 << 10 }; /* more than that is given back after the command */

void
effect_listen(effect_listener l)
{
    listener = l;
    effects_are_wanted = l != NULL;
    if (effects_are_wanted)
        key_event_listeners |= KEY_EVENT_COPIED;
    else
        key_event_listeners &= ~(unsigned)KEY_EVENT_COPIED;
}

void
effect_hush(bool on)
{
    is_hushed = on;
}

/* ---- telling ---- */

/* transaction_of: the outermost command, within which s runs (EXEC; one that executes others);
 * NULL: s is it. */
static struct effect_scope *
transaction_of(const struct effect_scope *s)
{
    struct effect_scope *t = s != NULL ? s->outer : NULL;

    while (t != NULL && t->outer != NULL)
        t = t->outer;
    return t;
}

static void
tell_word(int db_index, struct slice word)
{
    listener(db_index, 1, &word);
}

/* tell: one effect of what runs in s; EF4. */
static void
tell(const struct effect_scope *s, int db_index, int argc, const struct slice *argv)
{
    struct effect_scope *transaction = transaction_of(s);

    debug_check(db_index >= 0 && db_index < db_count() && (argc == 0) == (argv == NULL));
    if (is_hushed)
        return;
    if (transaction != NULL && !transaction->multi_is_told) {
        transaction->multi_is_told = true;
        tell_word(db_index, SLICE("MULTI"));
    }
    listener(db_index, argc, argv);
}

void
effect_key_gone(const struct db *db, struct slice key)
{
    int index = db_index_of(db);

    if (listener != NULL && index >= 0)
        tell(scope, index, 2, (struct slice[]){SLICE("DEL"), key});
}

void
effect_field_gone(const struct db *db, struct slice key, struct slice field)
{
    int index = db_index_of(db);

    if (listener != NULL && index >= 0)
        tell(scope, index, 3, (struct slice[]){SLICE("HDEL"), key, field});
}

/* ---- keeping ---- */

static bool
reserve(size_t bytes)
{
    size_t room = said.room > 0 ? said.room : 256;
    char *p;

    if (bytes <= said.room - said.len)
        return true;
    while (room - said.len < bytes)
        room *= 2;
    if (fault_point(FAULT_side_alloc) || (p = realloc(said.at, room)) == NULL)
        return false;
    said.at = p;
    said.room = room;
    return true;
}

static void
put(const void *bytes, size_t len)
{
    if (len > 0)
        memcpy(said.at + said.len, bytes, len);
    said.len += len;
}

void
effect_instead(int argc, const struct slice *words)
{
    size_t bytes = sizeof argc + (size_t)argc * sizeof words->len;

    debug_check(argc > 0 && words[0].len > 0);
    if (scope == NULL) /* listening began within this command */
        return;
    for (int i = 0; i < argc; i++)
        bytes += words[i].len;
    scope->is_decided = true;
    if (scope->is_lost || !reserve(bytes)) {
        effect_lost();
        return;
    }
    put(&argc, sizeof argc);
    for (int i = 0; i < argc; i++) {
        put(&words[i].len, sizeof words[i].len);
        put(words[i].ptr, words[i].len);
    }
    scope->count++;
}

void
effect_deleted(struct slice key)
{
    struct slice words[] = {SLICE("DEL"), key};

    EFFECT(words);
}

void
effect_expiry(struct slice key, int64_t at_ms)
{
    char number[NUM_MAX_BYTES];
    struct slice never_again[] = {SLICE("PERSIST"), key};
    struct slice then[] = {SLICE("PEXPIREAT"), key, effect_number(number, at_ms)};

    if (at_ms == RECORD_NO_EXPIRE)
        EFFECT(never_again);
    else
        EFFECT(then);
}

void
effect_none(void)
{
    if (scope == NULL)
        return;
    said.len = scope->said;
    scope->count = 0;
    scope->is_decided = true;
    scope->is_lost = false;
}

void
effect_only_said(void)
{
    if (scope != NULL)
        scope->is_decided = true;
}

void
effect_lost(void)
{
    if (scope != NULL)
        scope->is_decided = scope->is_lost = true;
}

void
effect_as_sent(void)
{
    if (scope != NULL)
        scope->is_as_sent = true;
}

/* ---- around a command ---- */

void
effect_begin(struct client *c, struct effect_scope *s)
{
    debug_check(effects_are_wanted && s != scope);
    *s = (struct effect_scope){.outer = scope,
                               .client = c,
                               .dirty = db_state.dirty,
                               .said = said.len,
                               .db_index = c->db_index};
    scope = s;
}

/* take: bytes of the buffer. */
static size_t
take(size_t at, void *to, size_t len)
{
    memcpy(to, said.at + at, len);
    return at + len;
}

/* tell_kept: the effect at that offset; returns the next one's.  argv has room for its words. */
static size_t
tell_kept(const struct effect_scope *s, size_t at, struct slice *argv)
{
    int argc;

    at = take(at, &argc, sizeof argc);
    for (int i = 0; i < argc; i++) {
        at = take(at, &argv[i].len, sizeof argv[i].len);
        argv[i].ptr = said.at + at;
        at += argv[i].len;
    }
    tell(s, s->db_index, argc, argv);
    return at;
}

/* most_words: of the longest effect of s. */
static int
most_words(const struct effect_scope *s)
{
    int argc, most = 0;

    for (size_t at = s->said; at < said.len;) {
        at = take(at, &argc, sizeof argc);
        most = argc > most ? argc : most;
        for (size_t len; argc > 0; argc--) {
            at = take(at, &len, sizeof len);
            at += len;
        }
    }
    return most;
}

/* tell_all: what was said; false: no memory. */
static bool
tell_all(const struct effect_scope *s)
{
    enum { ON_STACK = 32 };
    struct slice few[ON_STACK], *argv = few;
    bool wrap = s->count > 1 && !is_hushed && transaction_of(s) == NULL && !s->multi_is_told;
    int most = most_words(s);

    if (most > ON_STACK &&
        (fault_point(FAULT_side_alloc) || (argv = malloc((size_t)most * sizeof *argv)) == NULL))
        return false;
    if (wrap)
        tell_word(s->db_index, SLICE("MULTI"));
    for (size_t at = s->said; at < said.len;)
        at = tell_kept(s, at, argv);
    if (wrap)
        tell_word(s->db_index, SLICE("EXEC"));
    if (argv != few)
        free(argv);
    return true;
}

/* counted: has the command changed anything?  What ran within it was taken off again. */
static bool
counted(const struct effect_scope *s)
{
    return db_state.dirty > s->dirty;
}

static void
give_back(void)
{
    if (scope != NULL || said.room <= KEPT_BYTES)
        return;
    free(said.at);
    said = (struct said){.at = NULL};
}

void
effect_end(struct effect_scope *s)
{
    struct client *c = s->client;

    must(scope == s);
    debug_check(s->count == 0 || counted(s)); /* EF1 */
    if (listener == NULL)
        ;
    else if (s->is_lost || (s->is_decided && !tell_all(s)))
        tell(s, s->db_index, 0, NULL);
    else if (!s->is_decided && (s->is_as_sent || counted(s)))
        tell(s, s->db_index, c->argc, c->argv);
    if (s->multi_is_told && listener != NULL)
        tell_word(c->db_index, SLICE("EXEC"));
    for (struct effect_scope *o = s->outer; o != NULL; o = o->outer)
        o->dirty += db_state.dirty - s->dirty; /* told here, not by EXEC, nor by a script in it */
    must(said.len >= s->said);
    said.len = s->said;
    scope = s->outer;
    debug_check(scope != NULL || said.len == 0); /* after the outermost nothing is kept */
    give_back();
}
