/* server/exec/acl_file.c - users in files: lines "user ..." of the configuration, or the aclfile.
 *
 * Lines of the configuration are checked where they are read, and kept until the start: what new
 * users may hear (acl-pubsub-default) may be said behind them.  No error shows a password. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/log.h"
#include "server/config/config.h"
#include "server/exec/acl_impl.h"

static const char no_memory[] = "no memory";
static const char unknown_rule[] = "Unknown command or category name in ACL";

static struct slice
name_of(const struct acl_user *u)
{
    return (struct slice){u->name, strlen(u->name)};
}

/* ---- lines of the configuration ---- */

struct declaration {
    int count;
    struct slice *words; /* [owned] the name, then rules */
};

/* Those of the start, and those of a trial: config.h. */
static struct declarations {
    struct declaration *at; /* [owned] */
    unsigned count;
} declared, tried;

static void
forget(struct declarations *d)
{
    for (unsigned i = 0; i < d->count; i++)
        free(d->at[i].words);
    free(d->at);
    *d = (struct declarations){0};
}

static bool
keep(struct declarations *d, const struct slice *words, int count)
{
    struct declaration *grown = realloc(d->at, (d->count + 1) * sizeof *grown);
    struct slice *copy;

    if (grown == NULL)
        return false;
    d->at = grown;
    if ((copy = malloc(slices_bytes(words, count))) == NULL)
        return false;
    slices_copy(copy, words, count);
    d->at[d->count++] = (struct declaration){count, copy};
    return true;
}

static const char *
complain(struct slice word, const char *reason)
{
    static struct text why;
    bool secret = word.len > 0 && strchr("><#!", word.ptr[0]) != NULL;

    text_clear(&why);
    why.failed = false; /* there may be memory again */
    text_add(&why, "Error in user declaration '");
    text_add_bytes(&why, word.ptr, secret ? 1 : word.len);
    text_addf(&why, "%s': %s", secret ? "(redacted)" : "", reason);
    return text_why(&why);
}

/* A trial of the words behind the name.  NULL, or what is wrong. */
static const char *
try_rules(const struct slice *words, int count)
{
    struct acl_user *u = acl_user_new(words[0]);
    struct text scratch = {0};
    struct slice rule = words[0];
    const char *reason = no_memory;
    bool is_open;

    if (u != NULL)
        reason = acl_apply_all(u, words + 1, count - 1, &scratch, &rule, &is_open);
    if (reason != NULL)
        reason = complain(rule, reason);
    text_free(&scratch);
    acl_user_free(u);
    return reason;
}

static const char *
declare(struct declarations *d, const struct slice *words, int count)
{
    const char *reason;

    if (!acl_name_is_good(words[0]))
        return complain(words[0], "Spaces not allowed in ACL usernames");
    for (unsigned i = 0; i < d->count; i++)
        if (slice_equal(d->at[i].words[0], words[0]))
            return complain(
                words[0], "Duplicate user found. A user can only be defined once in config files");
    if ((reason = try_rules(words, count)) != NULL)
        return reason;
    return keep(d, words, count) ? NULL : no_memory;
}

static const char *
take_line(const struct slice *words, int count)
{
    return declare(&declared, words, count);
}

static const char *
try_line(const struct slice *words, int count, bool is_first)
{
    if (is_first)
        forget(&tried);
    return declare(&tried, words, count);
}

/* Is it as it would be without a line of its own? */
static bool
is_plain_default(const struct acl_user *u)
{
    struct acl_user *plain = acl_new_default();
    struct text tu = {0}, tp = {0};
    bool same = plain != NULL && slice_is(name_of(u), "default");

    if (same) {
        acl_describe(u, &tu);
        acl_describe(plain, &tp);
        same = !tu.failed && !tp.failed && strcmp(text_str(&tu), text_str(&tp)) == 0;
    }
    text_free(&tu);
    text_free(&tp);
    acl_user_free(plain);
    return same;
}

/* Words of the configuration may be in quotes, so one with a quote has to be. */
static void
add_words(const struct acl_user *u, struct text *out)
{
    struct text t = {0};
    const char *p, *stop;

    acl_describe(u, &t);
    for (p = text_str(&t); *p != '\0'; p = stop + (*stop == ' ')) {
        size_t len = strcspn(p, " ");
        stop = p + len;
        if (memchr(p, '"', len) != NULL || memchr(p, '\'', len) != NULL)
            text_add_quoted(out, p, len);
        else
            text_add_bytes(out, p, len);
        text_add(out, *stop == ' ' ? " " : "\n");
    }
    out->failed |= t.failed;
    text_free(&t);
}

/* Those of an aclfile stand there. */
static void
write_lines(struct text *out)
{
    for (unsigned i = 0; i < acl_user_count() && config.aclfile[0] == '\0'; i++) {
        if (!is_plain_default(acl_user_at(i)))
            add_words(acl_user_at(i), out);
    }
}

void
acl_config_init(void)
{
    static struct config_directive directive = {.name = "user",
                                                .words = CONFIG_ANY_WORDS,
                                                .carry_out = take_line,
                                                .try_out = try_line,
                                                .write = write_lines};

    config_add_directive(&directive);
}

/* ---- a new set of users ---- */

/* Default too, if nothing says what it is.  False: no memory. */
static bool
complete(struct acl_table *t)
{
    struct acl_user *u;

    if (acl_table_find(t, SLICE("default")) != NULL)
        return true;
    u = acl_new_default();
    if (u != NULL && acl_table_add(t, u))
        return true;
    acl_user_free(u);
    return false;
}

/* One user by words.  NULL; or what is wrong, with *ret_rule as acl_apply_all() says. */
static const char *
add_user(struct acl_table *t, const struct slice *words, int count, struct text *scratch,
         struct slice *ret_rule, bool *ret_open)
{
    struct acl_user *u = acl_user_new(words[0]);
    const char *reason = no_memory;

    *ret_open = false;
    *ret_rule = words[0];
    if (u != NULL)
        reason = acl_apply_all(u, words + 1, count - 1, scratch, ret_rule, ret_open);
    if (reason == NULL && acl_table_add(t, u))
        return NULL;
    acl_user_free(u);
    return reason != NULL ? reason : no_memory;
}

static bool
use_declared(void)
{
    struct acl_table t = {0};
    struct text scratch = {0};
    struct slice rule;
    bool is_open, done = true;

    for (unsigned i = 0; i < declared.count && done; i++) {
        const struct declaration *d = &declared.at[i];
        const char *reason = add_user(&t, d->words, d->count, &scratch, &rule, &is_open);
        done = reason == NULL;
        if (!done)
            log_line(LOG_WARNING, "Error loading the user named '%.*s': %s",
                     slice_shown(d->words[0]), d->words[0].ptr, complain(rule, reason));
    }
    if (done && (done = complete(&t)))
        acl_table_replace(&t);
    acl_table_clear(&t);
    text_free(&scratch);
    forget(&declared);
    return done;
}

/* ---- the aclfile ---- */

/* Blanks alone separate, and nothing is quoted: neither names nor patterns have any. */
static int
split_line(const char *p, const char *end, struct slice *words)
{
    int count = 0;

    while (p < end && end[-1] == '\r')
        end--;
    while (p < end) {
        const char *stop;
        while (p < end && *p == ' ')
            p++;
        for (stop = p; stop < end && *stop != ' ';)
            stop++;
        if (stop > p)
            words[count++] = (struct slice){p, (size_t)(stop - p)};
        p = stop;
    }
    return count;
}

static void
tell_bad_line(struct text *why, int number, const char *reason, struct slice rule, bool is_open)
{
    text_addf(why, "%s:%d: ", config.aclfile, number);
    if (is_open) {
        text_add(why, "Unmatched parenthesis in selector definition. ");
    } else if (strcmp(reason, unknown_rule) == 0) {
        text_add(why, "Error in applying operation '");
        text_add_bytes(why, rule.ptr, rule.len);
        text_addf(why, "': %s. ", reason);
    } else {
        text_addf(why, "%s. ", reason);
    }
}

static void
read_user(struct acl_table *t, int number, const struct slice *words, int count, struct text *why)
{
    struct text scratch = {0};
    const char *reason;
    struct slice rule;
    bool is_open;

    if (count < 2 || !slice_is(words[0], "user")) {
        text_addf(why, "%s:%d should start with user keyword followed by the username. ",
                  config.aclfile, number);
    } else if (!acl_name_is_good(words[1])) {
        text_addf(why, "%s:%d: username '%.*s' contains invalid characters. ", config.aclfile,
                  number, slice_shown(words[1]), words[1].ptr);
    } else if (acl_table_find(t, words[1]) != NULL) {
        text_addf(why, "WARNING: Duplicate user '%.*s' found on line %d. ", slice_shown(words[1]),
                  words[1].ptr, number);
    } else if ((reason = add_user(t, words + 1, count - 1, &scratch, &rule, &is_open)) != NULL) {
        tell_bad_line(why, number, reason, rule, is_open);
    }
    text_free(&scratch);
}

static void
read_users(struct acl_table *t, const struct text *file, struct text *why)
{
    const char *p = text_str(file), *end = p + file->len;
    struct slice *words = malloc((file->len / 2 + 1) * sizeof *words);

    if (words == NULL)
        text_addf(why, "%s. ", no_memory);
    for (int number = 1; words != NULL && p < end; number++) {
        const char *newline = memchr(p, '\n', (size_t)(end - p)),
                   *stop = newline != NULL ? newline : end;
        int count = split_line(p, stop, words);
        if (count > 0)
            read_user(t, number, words, count, why);
        p = stop + 1;
    }
    free(words);
}

bool
acl_load(struct text *why)
{
    struct acl_table t = {0};
    struct text file = {0};
    int r = config_read_whole(config.aclfile, &file);
    bool done;

    if (r < 0) {
        text_addf(why, "Error loading ACLs, opening file '%s': %s", config.aclfile, strerror(-r));
        text_free(&file);
        return false;
    }
    read_users(&t, &file, why);
    text_free(&file);
    done = why->len == 0 && !why->failed && complete(&t);
    if (done)
        acl_table_replace(&t);
    else
        text_add(
            why,
            "WARNING: ACL errors detected, no change to the previously active ACL rules was performed");
    acl_table_clear(&t);
    return done;
}

bool
acl_save(struct text *why)
{
    struct text t = {0};
    int r;

    for (unsigned i = 0; i < acl_user_count(); i++) {
        acl_describe(acl_user_at(i), &t);
        text_add(&t, "\n");
    }
    r = t.failed ? -ENOMEM : config_replace_file(config.aclfile, &t, 0600);
    text_free(&t);
    if (r < 0)
        text_addf(why, "%s: %s", config.aclfile, strerror(-r));
    return r == 0;
}

/* ---- the start ---- */

bool
acl_start(void)
{
    struct text why = {0};
    bool done = true;

    if (config.aclfile[0] != '\0' && declared.count > 0) {
        log_line(
            LOG_WARNING,
            "Configuring Stillframe with users defined in the configuration file and at the same setting an ACL file path is invalid. Please define either an ACL file or declare users directly in the configuration, but not both.");
        return false;
    }
    if (declared.count > 0 && !use_declared()) {
        log_line(LOG_WARNING, "Critical error while loading ACLs. Exiting.");
        return false;
    }
    if (config.aclfile[0] != '\0')
        config_restore_file(config.aclfile);
    if (config.aclfile[0] != '\0' && !acl_load(&why)) {
        log_line(LOG_WARNING, "Aborting startup because of ACL errors: %s", text_why(&why));
        done = false;
    }
    text_free(&why);
    return done;
}
