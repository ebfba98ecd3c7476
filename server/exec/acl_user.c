/* server/exec/acl_user.c - the memory of users and their selectors. */
#include <stdlib.h>
#include <string.h>

#include "server/config/config.h"
#include "server/exec/acl_impl.h"

struct acl_user *acl_default_user;

struct acl_user *
acl_default(void)
{
    return acl_default_user;
}

/* A copy with a NUL behind it; NULL: no memory. */
static char *
copy_bytes(struct slice s)
{
    char *p = acl_realloc(NULL, s.len + 1);

    if (p == NULL)
        return NULL;
    memcpy(p, s.ptr, s.len);
    p[s.len] = '\0';
    return p;
}

static void
free_slice(struct slice s)
{
    union {
        const char *shown;
        void *owned;
    } u = {.shown = s.ptr};

    free(u.owned);
}

/* ---- patterns ---- */

void
acl_patterns_clear(struct acl_patterns *p)
{
    for (unsigned i = 0; i < p->count; i++)
        free_slice(p->at[i].text);
    free(p->at);
    *p = (struct acl_patterns){0};
}

static enum acl_pattern_kind
kind_of(struct slice text)
{
    size_t plain = 0;

    while (plain < text.len && strchr("*?[\\", text.ptr[plain]) == NULL)
        plain++;
    if (plain == text.len)
        return PATTERN_EXACT;
    if (plain + 1 < text.len || text.ptr[plain] != '*')
        return PATTERN_GLOB;
    return plain <= sizeof(uint64_t) ? PATTERN_SHORT_PREFIX : PATTERN_PREFIX;
}

/* What a text that matches begins with: eight bytes of it at most. */
static void
set_head(struct acl_pattern *p)
{
    bool has_star = p->kind == PATTERN_PREFIX || p->kind == PATTERN_SHORT_PREFIX;
    size_t len = p->kind == PATTERN_GLOB ? 0 : p->text.len - has_star;
    size_t head = len < sizeof p->head ? len : sizeof p->head;

    memcpy(&p->head, p->text.ptr, head);
    memset(&p->mask, 0xff, head);
}

bool
acl_patterns_add(struct acl_patterns *p, struct slice text, unsigned access)
{
    struct acl_pattern *grown;
    char *copy;

    for (unsigned i = 0; i < p->count; i++)
        if (slice_equal(p->at[i].text, text)) {
            p->at[i].access |= (uint8_t)access;
            return true;
        }
    if ((grown = acl_realloc(p->at, (p->count + 1) * sizeof *grown)) == NULL)
        return false;
    p->at = grown;
    if ((copy = copy_bytes(text)) == NULL)
        return false;
    p->at[p->count] = (struct acl_pattern){
        .text = {copy, text.len}, .access = (uint8_t)access, .kind = (uint8_t)kind_of(text)};
    set_head(&p->at[p->count++]);
    return true;
}

static bool
copy_patterns(struct acl_patterns *to, const struct acl_patterns *from)
{
    for (unsigned i = 0; i < from->count; i++)
        if (!acl_patterns_add(to, from->at[i].text, from->at[i].access))
            return false;
    return true;
}

/* ---- first arguments ---- */

void
acl_first_args_clear(struct acl_selector *s)
{
    for (unsigned i = 0; i < s->first_arg_count; i++)
        free(s->first_args[i].word);
    free(s->first_args);
    s->first_args = NULL;
    s->first_arg_count = 0;
}

void
acl_first_args_drop(struct acl_selector *s, const struct cmd *cmd)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < s->first_arg_count; i++) {
        if (s->first_args[i].cmd == cmd)
            free(s->first_args[i].word);
        else
            s->first_args[kept++] = s->first_args[i];
    }
    s->first_arg_count = kept;
}

bool
acl_first_args_add(struct acl_selector *s, const struct cmd *cmd, struct slice word)
{
    struct acl_first_arg *grown;
    char *copy;

    for (unsigned i = 0; i < s->first_arg_count; i++)
        if (s->first_args[i].cmd == cmd && slice_is_word(word, s->first_args[i].word))
            return true;
    if ((grown = acl_realloc(s->first_args, (s->first_arg_count + 1) * sizeof *grown)) == NULL)
        return false;
    s->first_args = grown;
    if ((copy = copy_bytes(word)) == NULL)
        return false;
    s->first_args[s->first_arg_count++] = (struct acl_first_arg){cmd, copy};
    return true;
}

/* ---- selectors ---- */

void
acl_selector_init(struct acl_selector *s)
{
    *s = (struct acl_selector){.all_channels = config.acl_pubsub_default == CHANNELS_ALL};
}

void
acl_selector_fini(struct acl_selector *s)
{
    acl_first_args_clear(s);
    acl_patterns_clear(&s->keys);
    acl_patterns_clear(&s->channels);
    text_free(&s->rules);
}

/* False: no memory; *to can be given to acl_selector_fini(). */
static bool
copy_selector(struct acl_selector *to, const struct acl_selector *from)
{
    *to = (struct acl_selector){.all_commands = from->all_commands,
                                .all_keys = from->all_keys,
                                .all_channels = from->all_channels};
    memcpy(to->commands, from->commands, sizeof to->commands);
    for (unsigned i = 0; i < from->first_arg_count; i++) {
        const struct acl_first_arg *a = &from->first_args[i];
        if (!acl_first_args_add(to, a->cmd, (struct slice){a->word, strlen(a->word)}))
            return false;
    }
    text_add_bytes(&to->rules, text_str(&from->rules), from->rules.len);
    return !to->rules.failed && copy_patterns(&to->keys, &from->keys) &&
           copy_patterns(&to->channels, &from->channels);
}

/* ---- users ---- */

static struct acl_user *
new_without_selectors(struct slice name)
{
    struct acl_user *u = acl_realloc(NULL, sizeof *u);

    if (u == NULL)
        return NULL;
    *u = (struct acl_user){0};
    if ((u->name = copy_bytes(name)) == NULL) {
        free(u);
        return NULL;
    }
    return u;
}

struct acl_user *
acl_user_new(struct slice name)
{
    struct acl_user *u = new_without_selectors(name);

    if (u == NULL)
        return NULL;
    if ((u->selectors = acl_realloc(NULL, sizeof *u->selectors)) == NULL) {
        acl_user_free(u);
        return NULL;
    }
    acl_selector_init(&u->selectors[0]);
    u->selector_count = 1;
    acl_user_settle(u);
    return u;
}

void
acl_user_free(struct acl_user *u)
{
    if (u == NULL)
        return;
    for (unsigned i = 0; i < u->selector_count; i++)
        acl_selector_fini(&u->selectors[i]);
    free(u->selectors);
    free(u->hashes);
    free(u->name);
    free(u);
}

struct acl_user *
acl_user_copy(const struct acl_user *u)
{
    struct acl_user *copy = new_without_selectors((struct slice){u->name, strlen(u->name)});

    if (copy == NULL)
        return NULL;
    copy->is_on = u->is_on;
    copy->nopass = u->nopass;
    copy->sanitize = u->sanitize;
    copy->is_limited = u->is_limited;
    if ((copy->selectors = acl_realloc(NULL, u->selector_count * sizeof *u->selectors)) == NULL)
        goto no_memory;
    for (unsigned i = 0; i < u->selector_count; i++) {
        copy->selector_count++;
        if (!copy_selector(&copy->selectors[i], &u->selectors[i]))
            goto no_memory;
    }
    if (u->hash_count == 0)
        return copy;
    if ((copy->hashes = acl_realloc(NULL, u->hash_count * sizeof *u->hashes)) == NULL)
        goto no_memory;
    memcpy(copy->hashes, u->hashes, u->hash_count * sizeof *u->hashes);
    copy->hash_count = u->hash_count;
    return copy;
no_memory:
    acl_user_free(copy);
    return NULL;
}

void
acl_user_swap(struct acl_user *a, struct acl_user *b)
{
    struct acl_user kept = *a;

    *a = *b;
    *b = kept;
}

/* All commands that there are, and those to come. */
static bool
has_all_commands(const struct acl_selector *s)
{
    for (unsigned i = 0; i < CMD_IDS_MAX / 64; i++)
        if (s->commands[i] != UINT64_MAX)
            return false;
    return true;
}

void
acl_user_settle(struct acl_user *u)
{
    u->is_limited = true;
    for (unsigned i = 0; i < u->selector_count; i++) {
        const struct acl_selector *s = &u->selectors[i];
        if (s->all_keys && s->all_channels && has_all_commands(s))
            u->is_limited = false;
    }
}

bool
acl_is_limited(const struct acl_user *u)
{
    return u->is_limited;
}

bool
acl_needs_password(const struct acl_user *u)
{
    return !u->nopass || !u->is_on;
}

bool
acl_takes_any_password(const struct acl_user *u)
{
    return u->nopass;
}

const char *
acl_name(const struct acl_user *u)
{
    return u->name;
}

unsigned
acl_selectors(const struct acl_user *u)
{
    return u->selector_count;
}
