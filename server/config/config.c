/* server/config/config.c - the configuration: the table, copies of it, CONFIG SET. */
#include "server/config/config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#include "mm/base/glob.h"
#include "mm/base/log.h"
#include "mm/base/must.h"
#include "mm/base/text.h"
#include "server/config/config_impl.h"
#include "server/config/config_machine.h"
#include "server/data/db/evict_policy.h"
#include "snapshot/rdb/lz4_frame.h"
#include "snapshot/rdb/rdb.h"
#include "snapshot/snapshot.h"

enum { WORDS_MAX = 256, SOCKET_PATH_MAX = sizeof((struct sockaddr_un *)NULL)->sun_path - 1 };

struct config config;

static const struct config_name log_levels[] = {{"debug", LOG_DEBUG},     {"verbose", LOG_VERBOSE},
                                                {"notice", LOG_NOTICE},   {"warning", LOG_WARNING},
                                                {"nothing", LOG_NOTHING}, {NULL, 0}};
static const struct config_name evict_policies[] = {
    {"volatile-lru", EVICT_LRU},
    {"volatile-lfu", EVICT_LFU},
    {"volatile-random", EVICT_RANDOM},
    {"volatile-ttl", EVICT_TTL},
    {"allkeys-lru", EVICT_LRU | EVICT_ALL_KEYS},
    {"allkeys-lfu", EVICT_LFU | EVICT_ALL_KEYS},
    {"allkeys-random", EVICT_RANDOM | EVICT_ALL_KEYS},
    {"noeviction", EVICT_NO},
    {NULL, 0}};
static const struct config_name permissions[] = {
    {"no", PERMIT_NO}, {"yes", PERMIT_YES}, {"local", PERMIT_LOCAL}, {NULL, 0}};
#ifdef STILLFRAME_TLS
static const struct config_name tls_auths[] = {
    {"no", TLS_AUTH_NO}, {"yes", TLS_AUTH_YES}, {"optional", TLS_AUTH_OPTIONAL}, {NULL, 0}};
#define TLS_OPTION(name_, ...) OPTION(name_, NULL, __VA_ARGS__)
#else
#define TLS_OPTION(name_, type_, field_, initial_, ...)                                            \
    FIXED(name_, NULL, 0, initial_, "This server was built without TLS")
#endif
static const struct config_name sandbox_names[] = {
    {"no", SANDBOX_NO}, {"yes", SANDBOX_YES}, {"required", SANDBOX_REQUIRED}, {NULL, 0}};
static const struct config_name supervisors[] = {
    {"systemd", SUPERVISED_SYSTEMD}, {"auto", SUPERVISED_AUTO}, {"no", SUPERVISED_NO}, {NULL, 0}};
static const struct config_name channels_defaults[] = {
    {"allchannels", CHANNELS_ALL}, {"resetchannels", CHANNELS_NONE}, {NULL, 0}};
static const struct config_name version_checks[] = {
    {"strict", VERSION_STRICT}, {"relaxed", VERSION_RELAXED}, {NULL, 0}};
static const struct config_name compressions[] = {
    {"yes", RDB_LZF}, {"no", RDB_PLAIN}, {"lz4", RDB_LZ4}, {NULL, 0}};

static const struct config_name memory_policies[] = {
    {"throttle", MEMORY_THROTTLE}, {"cancel", MEMORY_CANCEL}, {NULL, 0}};

/* What of struct config a parameter of each type is kept in: what its parse and show take the field
 * for. */
#define FIELD_OF_BOOL              bool
#define FIELD_OF_INT               int64_t
#define FIELD_OF_CLIPPED           int64_t
#define FIELD_OF_MEMORY            uint64_t
#define FIELD_OF_MEMORY_OR_PERCENT int64_t
#define FIELD_OF_ENUM              int64_t
#define FIELD_OF_MODE              int64_t
#define FIELD_OF_EVENTS            int64_t
#define FIELD_OF_TEXT              char *
#define FIELD_OF_FILENAME          char *
#define FIELD_OF_WORDS             char *
#define FIELD_OF_DIRECTORY         char *
#define FIELD_OF_LIMITS            struct output_limit[OUTPUT_CLASSES]
#define FIELD_OF_SAVE              struct save_point *
#define FIELD_OF_CHECKED           struct config_bytes

#define OPTION(name_, alias_, type_, field_, ...)                                                  \
    _Static_assert(__builtin_types_compatible_p(__typeof__(((struct config *)NULL)->field_),       \
                                                FIELD_OF_##type_),                                 \
                   name_ ": the field is not of the C type that the parameter's type is kept in");
#define FIXED(...)
#include "server/config/config.def"
#undef OPTION
#undef FIXED

#define IMMUTABLE         OPTION_IMMUTABLE
#define PROTECTED         OPTION_PROTECTED
#define MULTI             OPTION_MULTI
#define HIDDEN            OPTION_HIDDEN
#define DIRECTIVE         OPTION_DIRECTIVE
#define BOOL              &option_bool
#define INT               &option_int
#define CLIPPED           &option_clipped
#define MEMORY            &option_memory
#define MEMORY_OR_PERCENT &option_memory_or_percent
#define ENUM              &option_enum
#define TEXT              &option_text
#define FILENAME          &option_filename
#define WORDS             &option_words
#define LIMITS            &option_limits
#define DIRECTORY         &option_directory
#define SAVE              &option_save
#define MODE              &option_mode
#define EVENTS            &option_events
#define CHECKED           &option_checked

#define OPTION(name_, alias_, type_, field_, initial_, min_, max_, flags_, extra_)                 \
    {.name = name_,                                                                                \
     .alias = alias_,                                                                              \
     .type = type_,                                                                                \
     .offset = offsetof(struct config, field_),                                                    \
     .initial = initial_,                                                                          \
     .min = min_,                                                                                  \
     .max = max_,                                                                                  \
     .flags = flags_,                                                                              \
     .extra = extra_},
#define FIXED(name_, alias_, flags_, value_, why_)                                                 \
    {.name = name_,                                                                                \
     .alias = alias_,                                                                              \
     .type = &option_fixed,                                                                        \
     .initial = value_,                                                                            \
     .flags = flags_,                                                                              \
     .extra = why_},
#define REASON(group, why) static const char no_effect_##group[] = why;
#define KEPT(...)
#include "server/config/kept.def"
#undef REASON
#undef KEPT
#define REASON(...)
/* .offset: set_kept_offsets() */
#define KEPT(name_, alias_, check_, initial_, flags_, group_)                                      \
    {.name = name_,                                                                                \
     .alias = alias_,                                                                              \
     .type = &option_checked,                                                                      \
     .initial = initial_,                                                                          \
     .flags = flags_,                                                                              \
     .extra = check_,                                                                              \
     .no_effect = no_effect_##group_},
static struct option options[] = {
#include "server/config/config.def"
#include "server/config/kept.def"
};
#undef OPTION
#undef FIXED
#undef REASON
#undef KEPT

enum { OPTION_COUNT = sizeof options / sizeof options[0] };

struct option *
config_options(unsigned *ret_count)
{
    *ret_count = OPTION_COUNT;
    return options;
}

static bool
name_is(const char *name, struct slice s)
{
    return name != NULL && slice_is_word(s, name);
}

struct option *
option_find(struct slice name)
{
    for (unsigned i = 0; i < OPTION_COUNT; i++)
        if (name_is(options[i].name, name) || name_is(options[i].alias, name))
            return &options[i];
    return NULL;
}

bool
option_set(const struct option *o, struct config *into, const struct slice *words, int count,
           bool append, const char **why)
{
    struct slice split[WORDS_MAX];
    char *scratch;
    bool ok;

    must(count >= 0);
    if (count != 1 &&
        ((o->flags & OPTION_MULTI) == 0 || (count == 0 && o->type == &option_fixed))) {
        *why = "wrong number of arguments";
        return false;
    }
    if ((o->flags & OPTION_MULTI) == 0 || count != 1)
        return o->type->parse(o, into, words, count, append, why);
    if ((scratch = malloc(words[0].len + 1)) == NULL) {
        *why = strerror(ENOMEM);
        return false;
    }
    if ((count = text_split_words(words[0].ptr, words[0].len, scratch, split, WORDS_MAX)) < 0) {
        *why = count == -1 ? "Unbalanced quotes in configuration line" : "Too many words";
        ok = false;
    } else {
        ok = o->type->parse(o, into, split, count, append, why);
    }
    free(scratch);
    return ok;
}

bool
config_copy(const struct config *from, struct config *ret)
{
    bool ok = true;

    *ret = *from;
    /* Every owned field is copied, or cleared, before anything may be dropped. */
    for (unsigned i = 0; i < OPTION_COUNT; i++)
        if (options[i].type->copy != NULL)
            ok &= options[i].type->copy(&options[i], ret);
    if (!ok)
        config_drop(ret);
    return ok;
}

void
config_drop(struct config *c)
{
    for (unsigned i = 0; i < OPTION_COUNT; i++)
        if (options[i].type->drop != NULL)
            options[i].type->drop(&options[i], c);
}

/* Each kept parameter gets a place of its own. */
static void
set_kept_offsets(void)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < OPTION_COUNT; i++)
        if (options[i].no_effect != NULL) {
            must(kept < CONFIG_KEPT);
            options[i].offset = offsetof(struct config, kept) + kept * sizeof(struct config_bytes);
            kept++;
        }
    must(kept == CONFIG_KEPT);
}

bool
config_make_defaults(struct config *ret)
{
    const char *why;

    memset(ret, 0, sizeof *ret);
    for (unsigned i = 0; i < OPTION_COUNT; i++) {
        struct slice value = {options[i].initial, strlen(options[i].initial)};
        if (option_set(&options[i], ret, &value, 1, false, &why))
            continue;
        must(strcmp(why, strerror(ENOMEM)) == 0); /* the table's own defaults are good */
        config_drop(ret);
        return false;
    }
    config_fit_machine(ret);
    return true;
}

/* check_names_differ: of no two parameters one would hide the other. */
static void
check_names_differ(void)
{
    for (unsigned i = 0; i < OPTION_COUNT; i++) {
        const struct option *o = &options[i];

        must(option_find((struct slice){o->name, strlen(o->name)}) == o);
        must(o->alias == NULL || option_find((struct slice){o->alias, strlen(o->alias)}) == o);
    }
}

int
config_init(void)
{
    check_names_differ();
    set_kept_offsets();
    return config_make_defaults(&config) ? 0 : -ENOMEM;
}

void
config_fini(void)
{
    config_drop(&config);
}

void
config_on_change(const char *name, bool (*apply)(const struct config *next, const char **why))
{
    struct option *o = option_find((struct slice){name, strlen(name)});

    must(o != NULL && o->no_effect == NULL && (o->flags & OPTION_IMMUTABLE) == 0);
    must(o->apply == NULL || o->apply == apply); /* one module answers for a parameter */
    o->apply = apply;
}

void
config_follow(const char *name, bool (*apply)(const struct config *next, const char **why))
{
    const char *why = "";

    config_on_change(name, apply);
    if (!apply(&config, &why)) {
        log_line(LOG_WARNING, "The configured %s cannot take effect: %s. Exiting.", name, why);
        exit(1);
    }
}

static void (*after_change[8])(void); /* modules that copy what concerns them */

void
config_after_change(void (*fn)(void))
{
    unsigned n = 0;

    while (after_change[n] != NULL && after_change[n] != fn)
        must(++n < sizeof after_change / sizeof after_change[0]);
    after_change[n] = fn;
}

static void
tell_changed(void)
{
    for (unsigned n = 0; n < sizeof after_change / sizeof after_change[0]; n++)
        if (after_change[n] != NULL)
            after_change[n]();
}

/* ---- CONFIG SET ---- */

static int
refuse(struct text *why, struct slice name, const char *reason)
{
    text_add(why, "ERR CONFIG SET failed (possibly related to argument '");
    text_add_bytes(why, name.ptr, name.len);
    text_addf(why, "') - %s", reason);
    return -EINVAL;
}

/* May these parameters be set at all? */
static int
check_names(const struct slice *pairs, int count, bool protected_allowed, struct text *why)
{
    for (int i = 0; i < count; i++) {
        struct slice name = pairs[2 * i];
        const struct option *o = option_find(name);
        if (o == NULL || (o->flags & OPTION_DIRECTIVE) != 0) {
            text_add(why, "ERR Unknown option or number of arguments for CONFIG SET - '");
            text_add_bytes(why, name.ptr, name.len);
            text_add(why, "'");
            return -EINVAL;
        }
        if (o->flags & OPTION_IMMUTABLE)
            return refuse(why, name, "can't set immutable config");
        if ((o->flags & OPTION_PROTECTED) && !protected_allowed)
            return refuse(why, name, "can't set protected config");
        for (int k = 0; k < i; k++)
            if (pairs[2 * k].len == name.len &&
                strncasecmp(pairs[2 * k].ptr, name.ptr, name.len) == 0)
                return refuse(why, name, "duplicate parameter");
    }
    return 0;
}

/* Carry out the changed parameters' effects; on a refusal, those of the old values again,
 * backwards. */
static int
apply_all(const struct slice *pairs, int count, const struct config *next, struct text *why)
{
    const char *reason = "refused", *ignored;
    int i;

    for (i = 0; i < count; i++) {
        const struct option *o = option_find(pairs[2 * i]);
        if (o->apply != NULL && !o->apply(next, &reason))
            break;
    }
    if (i == count)
        return 0;
    refuse(why, pairs[2 * i], reason);
    while (i-- > 0) {
        const struct option *o = option_find(pairs[2 * i]);
        if (o->apply != NULL)
            o->apply(&config, &ignored);
    }
    return -EINVAL;
}

int
config_set(const struct slice *pairs, int count, bool protected_allowed, struct text *why)
{
    struct config next;
    const char *reason;
    int r;

    must(count > 0);
    if ((r = check_names(pairs, count, protected_allowed, why)) < 0)
        return r;
    if (!config_copy(&config, &next))
        return refuse(why, pairs[0], strerror(ENOMEM));
    for (int i = 0; i < count; i++)
        if (!option_set(option_find(pairs[2 * i]), &next, &pairs[2 * i + 1], 1, false, &reason)) {
            r = refuse(why, pairs[2 * i], reason);
            goto drop_next;
        }
    if ((r = apply_all(pairs, count, &next, why)) < 0)
        goto drop_next;
    config_drop(&config);
    config = next;
    tell_changed();
    return 0;
drop_next:
    config_drop(&next);
    return r;
}

/* ---- CONFIG GET ---- */

/* What the parameter is called in the answer: as it was asked for, by name (in any case) or by a
 * pattern. NULL: it was not. */
static const char *
asked_name(const char *name, unsigned flags, const struct slice *patterns, int count, char *buf,
           size_t room)
{
    for (int i = 0; i < count && name != NULL && (flags & OPTION_DIRECTIVE) == 0; i++) {
        struct slice p = patterns[i];
        bool by_name = name_is(name, p) && p.len < room;
        if (by_name) {
            memcpy(buf, p.ptr, p.len);
            buf[p.len] = '\0';
            return buf;
        }
        if ((flags & OPTION_HIDDEN) == 0 && glob_match(p, (struct slice){name, strlen(name)}, true))
            return name;
    }
    return NULL;
}

enum { ASKED_NAME_BYTES = 64 };

void
config_each_match(const struct slice *patterns, int count,
                  void (*fn)(void *ctx, const char *name, struct slice value), void *ctx)
{
    for (unsigned i = 0; i < OPTION_COUNT; i++) {
        const struct option *o = &options[i];
        char names[2][ASKED_NAME_BYTES];
        const char *name =
            asked_name(o->name, o->flags, patterns, count, names[0], sizeof names[0]);
        const char *alias =
            asked_name(o->alias, o->flags, patterns, count, names[1], sizeof names[1]);
        struct text t = {0};
        struct slice value;
        if (name == NULL && alias == NULL)
            continue;
        o->type->show(o, &config, &t);
        value = (struct slice){text_str(&t), t.len};
        if (name != NULL)
            fn(ctx, name, value);
        if (alias != NULL)
            fn(ctx, alias, value);
        text_free(&t);
    }
}

const char *
config_value(const char *name, char *ret, size_t room)
{
    const struct option *o = option_find((struct slice){name, strlen(name)});
    struct text t = {0};

    must(o != NULL && room > 0);
    o->type->show(o, &config, &t);
    snprintf(ret, room, "%s", text_str(&t));
    text_free(&t);
    return ret;
}
