/* server/exec/acl_table.c - all users, and their changes. */
#include <stdlib.h>
#include <string.h>

#include "mm/base/must.h"
#include "server/config/config.h"
#include "server/exec/acl_impl.h"

static const char default_name[] = "default";
static const char no_memory[] = "ERR no memory to change a user";

struct acl_table acl_users;

/* ---- a table ---- */

/* Where the name stands, or would: the first that is not before it. */
static unsigned
place_of(const struct acl_table *t, struct slice name)
{
    unsigned low = 0, high = t->count;

    must(high == 0 || t->at != NULL);
    while (low < high) {
        unsigned middle = (low + high) / 2;
        const char *at = t->at[middle]->name;
        size_t len = strlen(at), common = len < name.len ? len : name.len;
        int r = memcmp(at, name.ptr, common);
        if (r < 0 || (r == 0 && len < name.len))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct acl_user *
acl_table_find(const struct acl_table *t, struct slice name)
{
    unsigned i = place_of(t, name);

    return i < t->count && slice_is(name, t->at[i]->name) ? t->at[i] : NULL;
}

bool
acl_table_add(struct acl_table *t, struct acl_user *u)
{
    unsigned i = place_of(t, (struct slice){u->name, strlen(u->name)});
    struct acl_user **grown = acl_realloc(t->at, (t->count + 1) * sizeof(struct acl_user *));

    if (grown == NULL)
        return false;
    t->at = grown;
    memmove(grown + i + 1, grown + i, (t->count - i) * sizeof(struct acl_user *));
    grown[i] = u;
    t->count++;
    return true;
}

void
acl_table_clear(struct acl_table *t)
{
    for (unsigned i = 0; i < t->count; i++)
        acl_user_free(t->at[i]);
    free(t->at);
    *t = (struct acl_table){0};
}

static void
take_out(struct acl_table *t, const struct acl_user *u)
{
    unsigned i = place_of(t, (struct slice){u->name, strlen(u->name)});

    must(i < t->count && t->at[i] == u);
    t->count--;
    memmove(t->at + i, t->at + i + 1, (t->count - i) * sizeof(struct acl_user *));
}

/* ---- default ---- */

/* The password alone is another. */
static bool
set_password(struct acl_user *u, struct slice password)
{
    struct text rule = {0};
    bool done;

    text_add(&rule, password.len > 0 ? ">" : "nopass");
    text_add_bytes(&rule, password.ptr, password.len);
    done = !rule.failed && acl_apply(u, SLICE("resetpass")) == NULL &&
           acl_apply(u, (struct slice){rule.at, rule.len}) == NULL;
    text_free(&rule);
    return done;
}

static bool
apply_words(struct acl_user *u, const struct slice *words, int count)
{
    bool done = true;

    for (int i = 0; i < count; i++)
        done &= acl_apply(u, words[i]) == NULL;
    acl_user_settle(u);
    return done;
}

struct acl_user *
acl_new_default(void)
{
    const struct slice words[] = {SLICE("on"), SLICE("+@all"), SLICE("~*"), SLICE("&*")};
    struct acl_user *u = acl_user_new(SLICE("default"));

    if (u != NULL && apply_words(u, words, sizeof words / sizeof words[0]) &&
        set_password(u, (struct slice){config.requirepass.at, config.requirepass.len}))
        return u;
    acl_user_free(u);
    return NULL;
}

bool
acl_set_default_password(struct slice password)
{
    struct acl_user *u = acl_default(), *next = acl_user_copy(u);
    bool done = next != NULL && set_password(next, password);

    if (done) {
        acl_user_swap(u, next);
        acl_clients_changed(u);
    }
    acl_user_free(next);
    return done;
}

bool
acl_init(void)
{
    struct acl_user *u = acl_new_default();

    acl_table_clear(&acl_users);
    if (u == NULL || !acl_table_add(&acl_users, u)) {
        acl_user_free(u);
        return false;
    }
    acl_default_user = u;
    return true;
}

/* ---- others ---- */

struct acl_user *
acl_find(struct slice name)
{
    return acl_table_find(&acl_users, name);
}

unsigned
acl_user_count(void)
{
    return acl_users.count;
}

const struct acl_user *
acl_user_at(unsigned i)
{
    return acl_users.at[i];
}

/* The user as it is, or a new one, to be changed.  NULL: no memory. */
static struct acl_user *
draft_of(const struct acl_user *u, struct slice name)
{
    return u != NULL ? acl_user_copy(u) : acl_user_new(name);
}

static void
tell_bad_rule(struct text *why, struct slice rule, bool is_open, const char *reason)
{
    text_add(why, is_open ? "ERR Unmatched parenthesis in acl selector starting at '"
                          : "ERR Error in ACL SETUSER modifier '");
    text_add_bytes(why, rule.ptr, strnlen(rule.ptr, rule.len));
    if (is_open)
        text_add(why, "'.");
    else
        text_addf(why, "': %s", reason);
}

bool
acl_set_user(struct slice name, const struct slice *rules, int count, struct text *why)
{
    struct acl_user *u = acl_find(name), *next;
    struct text scratch = {0};
    struct slice rule = SLICE("");
    const char *reason;
    bool is_open, done = false;

    if (!acl_name_is_good(name)) {
        text_add(why, "ERR Usernames can't contain spaces or null characters");
        return false;
    }
    if ((next = draft_of(u, name)) == NULL) {
        text_add(why, no_memory);
        return false;
    }
    reason = acl_apply_all(next, rules, count, &scratch, &rule, &is_open);
    if (reason != NULL) {
        tell_bad_rule(why, rule, is_open, reason);
    } else if (u != NULL) {
        acl_user_swap(u, next);
        acl_clients_changed(u);
        done = true;
    } else if (acl_table_add(&acl_users, next)) {
        next = NULL; /* the table's */
        done = true;
    } else {
        text_add(why, no_memory);
    }
    text_free(&scratch);
    acl_user_free(next);
    return done;
}

bool
acl_delete_user(struct slice name)
{
    struct acl_user *u = acl_find(name);

    must(!slice_is(name, default_name));
    if (u == NULL)
        return false;
    take_out(&acl_users, u);
    acl_clients_close(u);
    acl_user_free(u);
    return true;
}

static bool
same_description(const struct acl_user *a, const struct acl_user *b)
{
    struct text ta = {0}, tb = {0};
    bool same;

    acl_describe(a, &ta);
    acl_describe(b, &tb);
    same = !ta.failed && !tb.failed && ta.len == tb.len && memcmp(ta.at, tb.at, ta.len) == 0;
    text_free(&ta);
    text_free(&tb);
    return same;
}

/* Those that are in both stay where they are, and have what the new ones had. */
static void
keep_addresses(struct acl_table *next, struct acl_table *old)
{
    for (unsigned i = 0; i < next->count; i++) {
        struct slice name = {next->at[i]->name, strlen(next->at[i]->name)};
        unsigned k = place_of(old, name);
        struct acl_user *u;

        if (k >= old->count || !slice_is(name, old->at[k]->name))
            continue;
        u = old->at[k];
        acl_user_swap(u, next->at[i]);
        old->at[k] = next->at[i];
        next->at[i] = u;
    }
}

void
acl_table_replace(struct acl_table *t)
{
    struct acl_table old = acl_users;

    keep_addresses(t, &old);
    acl_users = *t;
    *t = old;
    must(acl_find(SLICE("default")) == acl_default_user);
    for (unsigned i = 0; i < old.count; i++) {
        struct acl_user *u = acl_find((struct slice){old.at[i]->name, strlen(old.at[i]->name)});

        if (u == NULL)
            acl_clients_close(old.at[i]);
        else if (u == acl_default_user)
            acl_clients_changed(u);
        else if (!same_description(u, old.at[i]))
            acl_clients_close(u);
    }
}
