/* server/exec/acl_check.c - may a user execute a command, on these keys and channels?
 *
 * Each selector is tried; of their objections the one that came last in Redis's order is told. */
#include <string.h>

#include "mm/base/glob.h"
#include "mm/base/must.h"
#include "server/exec/acl_impl.h"
#include "server/exec/key_spec.h"

/* ---- patterns ---- */

/* The first eight bytes as they stand, zeros behind a shorter text: no pattern has any. */
static inline uint64_t
head_of(struct slice text)
{
    union {
        uint64_t number;
        char bytes[sizeof(uint64_t)];
    } head = {.number = 0};

    if (likely(text.len >= sizeof head))
        memcpy(&head, text.ptr, sizeof head);
    else
        for (size_t i = 0; i < text.len; i++)
            head.bytes[i] = text.ptr[i];
    return head.number;
}

static bool
matches(const struct acl_pattern *p, struct slice text, uint64_t head)
{
    if ((head & p->mask) != p->head)
        return false;
    switch ((enum acl_pattern_kind)p->kind) {
    case PATTERN_SHORT_PREFIX: /* a star alone takes no empty name, as in Redis */
        return text.len > 0;
    case PATTERN_PREFIX:
        return text.len >= p->text.len - 1 && memcmp(text.ptr, p->text.ptr, p->text.len - 1) == 0;
    case PATTERN_EXACT:
        return slice_equal(p->text, text);
    case PATTERN_GLOB:
        return glob_match(p->text, text, false);
    }
    never("no such kind of pattern");
}

bool
acl_pattern_matches(const struct acl_pattern *p, struct slice text)
{
    return matches(p, text, head_of(text));
}

/* What a user must be allowed to do to a key for a command that does this to it; where its
 * arguments say what it does, and they were not looked at, everything. */
static inline unsigned
access_for(uint32_t key_flags)
{
    unsigned access = 0;

    if ((key_flags & (KEY_ACCESS | KEY_VARIABLE)) != 0)
        access |= ACL_MAY_READ;
    if ((key_flags & (KEY_INSERT | KEY_DELETE | KEY_UPDATE | KEY_VARIABLE)) != 0)
        access |= ACL_MAY_WRITE;
    return access;
}

static bool
key_is_granted(const struct acl_selector *s, struct slice key, uint32_t key_flags)
{
    unsigned access = access_for(key_flags);
    uint64_t head = head_of(key);

    for (unsigned i = 0; i < s->keys.count; i++) {
        const struct acl_pattern *p = &s->keys.at[i];
        if ((p->access & access) == access && matches(p, key, head))
            return true;
    }
    return false;
}

/* ---- one selector ---- */

static bool
first_arg_is_granted(const struct acl_selector *s, const struct cmd *cmd, const struct slice *argv,
                     int argc)
{
    int at = cmd->parent != NULL ? 2 : 1;

    for (unsigned i = 0; i < s->first_arg_count && at < argc; i++)
        if (s->first_args[i].cmd == cmd && slice_is_word(argv[at], s->first_args[i].word))
            return true;
    return false;
}

static inline bool
command_is_granted(const struct acl_selector *s, const struct cmd *cmd, const struct slice *argv,
                   int argc)
{
    return (s->commands[cmd->id / 64] >> (cmd->id % 64) & 1) != 0 ||
           (cmd->flags & CMD_NO_AUTH) != 0 || first_arg_is_granted(s, cmd, argv, argc);
}

struct key_check {
    const struct acl_selector *selector;
    const struct slice *argv;
    int denied_at; /* 0: none yet */
};

static void
check_key(void *ctx, int at, uint32_t flags)
{
    struct key_check *check = ctx;

    if (check->denied_at == 0 && !key_is_granted(check->selector, check->argv[at], flags))
        check->denied_at = at;
}

/* Of a command with plain_keys. */
static int
find_denied_plain_key(const struct acl_selector *s, const struct cmd *cmd, const struct slice *argv,
                      int argc)
{
    const struct key_spec *spec = &cmd->specs[0];
    int end = key_spec_plain_end(spec, argc);

    for (int i = spec->at; i < end; i += spec->step)
        if (!key_is_granted(s, argv[i], spec->flags))
            return i;
    return 0;
}

/* The first key that is not granted; 0: all are. */
static int
find_denied_key(const struct acl_selector *s, const struct cmd *cmd, const struct slice *argv,
                int argc)
{
    struct key_check check = {.selector = s, .argv = argv};

    if (!cmd_arity_is_good(cmd, argc)) /* it is not executed; its keys cannot be told */
        return 0;
    if (cmd->plain_keys && (cmd->specs[0].flags & KEY_VARIABLE) == 0)
        return find_denied_plain_key(s, cmd, argv, argc);
    (void)key_spec_find(cmd, argv, argc, check_key, &check);
    return check.denied_at;
}

static bool
channel_is_granted(const struct acl_selector *s, struct slice channel, bool is_pattern)
{
    /* A pattern may be listened to if it stands among the user's own, letter by letter. */
    for (unsigned i = 0; i < s->channels.count; i++)
        if (is_pattern ? slice_equal(s->channels.at[i].text, channel)
                       : acl_pattern_matches(&s->channels.at[i], channel))
            return true;
    return false;
}

static int
find_denied_channel(const struct acl_selector *s, const struct cmd *cmd, const struct slice *argv,
                    int argc)
{
    /* of PUBLISH the channel, of SUBSCRIBE all that follows */
    int end = cmd->arity > 0 ? 2 : argc;

    for (int i = 1; i < end; i++)
        if (!channel_is_granted(s, argv[i], (cmd->flags & CMD_NAMES_PATTERNS) != 0))
            return i;
    return 0;
}

static inline enum acl_verdict
check_selector(const struct acl_selector *s, const struct cmd *cmd, const struct slice *argv,
               int argc, int *ret_at)
{
    *ret_at = 0;
    if (!command_is_granted(s, cmd, argv, argc))
        return ACL_DENIED_COMMAND;
    if (!s->all_keys && (*ret_at = find_denied_key(s, cmd, argv, argc)) != 0)
        return ACL_DENIED_KEY;
    if (!s->all_channels && (cmd->flags & (CMD_NAMES_CHANNELS | CMD_NAMES_PATTERNS)) != 0 &&
        (*ret_at = find_denied_channel(s, cmd, argv, argc)) != 0)
        return ACL_DENIED_CHANNEL;
    return ACL_GRANTED;
}

/* ---- all of them ---- */

/* What can be told by eight bytes; false: it may be granted all the same. */
static inline bool
key_is_granted_at_once(const struct acl_selector *s, struct slice key, unsigned access)
{
    uint64_t head = head_of(key);

    for (unsigned i = 0; i < s->keys.count; i++) {
        const struct acl_pattern *p = &s->keys.at[i];
        if ((head & p->mask) == p->head && (p->access & access) == access &&
            p->kind == PATTERN_SHORT_PREFIX && key.len > 0)
            return true;
    }
    return false;
}

static __attribute__((noinline)) bool
many_are_granted_at_once(const struct acl_selector *s, const struct cmd *cmd,
                         const struct slice *argv, int argc)
{
    const struct key_spec *spec = &cmd->specs[0];
    int end = key_spec_plain_end(spec, argc);
    unsigned access = access_for(spec->flags);

    for (int i = spec->at; i < end; i += spec->step)
        if (!key_is_granted_at_once(s, argv[i], access))
            return false;
    return true;
}

/* Of a command with plain_keys.  One that may do less must be granted all that it may do. */
static inline bool
keys_are_granted_at_once(const struct acl_selector *s, const struct cmd *cmd,
                         const struct slice *argv, int argc)
{
    const struct key_spec *spec = &cmd->specs[0];

    if (likely(spec->last == 0))
        return key_is_granted_at_once(s, argv[spec->at], access_for(spec->flags));
    return many_are_granted_at_once(s, cmd, argv, argc);
}

static __attribute__((noinline)) bool
grants_after_all(const struct acl_user *u, const struct cmd *cmd, const struct slice *argv,
                 int argc)
{
    return acl_check(u, cmd, argv, argc, NULL) == ACL_GRANTED;
}

bool
acl_grants(const struct acl_user *u, const struct cmd *cmd, const struct slice *argv, int argc)
{
    const struct acl_selector *root;

    if (unlikely(u == NULL))
        u = acl_default_user;
    root = &u->selectors[0];
    if ((root->commands[cmd->id / 64] >> (cmd->id % 64) & 1) != 0 &&
        (root->all_channels || (cmd->flags & (CMD_NAMES_CHANNELS | CMD_NAMES_PATTERNS)) == 0) &&
        (root->all_keys || (cmd->plain_keys && keys_are_granted_at_once(root, cmd, argv, argc))))
        return true;
    return grants_after_all(u, cmd, argv, argc);
}

enum acl_verdict
acl_check(const struct acl_user *u, const struct cmd *cmd, const struct slice *argv, int argc,
          int *ret_at)
{
    enum acl_verdict worst = ACL_DENIED_COMMAND, verdict;
    int at, worst_at = 0;

    if (u == NULL)
        u = acl_default();
    for (unsigned i = 0; i < u->selector_count; i++) {
        verdict = check_selector(&u->selectors[i], cmd, argv, argc, &at);
        if (verdict == ACL_GRANTED)
            return ACL_GRANTED;
        if (verdict > worst || (verdict == worst && at > worst_at)) {
            worst = verdict;
            worst_at = at;
        }
    }
    if (ret_at != NULL)
        *ret_at = worst_at;
    return worst;
}

static bool
may_read_every_key(const struct acl_selector *s)
{
    for (unsigned i = 0; i < s->keys.count; i++)
        if ((s->keys.at[i].access & ACL_MAY_READ) != 0 && slice_is(s->keys.at[i].text, "*"))
            return true;
    return s->all_keys;
}

bool
acl_check_reading_all(const struct acl_user *u, const struct cmd *cmd, const struct slice *argv,
                      int argc)
{
    int at;

    if (u == NULL)
        u = acl_default();
    for (unsigned i = 0; i < u->selector_count; i++)
        if (may_read_every_key(&u->selectors[i]) &&
            check_selector(&u->selectors[i], cmd, argv, argc, &at) == ACL_GRANTED)
            return true;
    return false;
}

bool
acl_may_listen(const struct acl_user *u, struct slice channel, bool is_pattern)
{
    for (unsigned i = 0; i < u->selector_count; i++)
        if (u->selectors[i].all_channels ||
            channel_is_granted(&u->selectors[i], channel, is_pattern))
            return true;
    return false;
}

/* Every hash is looked at to its end, and there is one to look at whoever asks. */
bool
acl_password_is(const struct acl_user *u, struct slice password)
{
    uint8_t given[ACL_HASH_BYTES];
    bool same = false;

    acl_hash(password, given);
    if (u == NULL)
        return false;
    for (unsigned i = 0; i < u->hash_count; i++) {
        uint8_t differs = 0;
        for (unsigned k = 0; k < ACL_HASH_BYTES; k++)
            differs |= given[k] ^ u->hashes[i][k];
        same |= differs == 0;
    }
    return u->is_on && (u->nopass || same);
}
