/* server/exec/cmd_table.c - the index of the command table, and what follows from its rows.
 *
 * A name is found by a perfect hash: one look at a table of shifts, one at the slot, one
 * comparison.  The shifts are found at start-up.  A command that was renamed leaves its slot; its
 * new name, which may be anything, stands in a list that is looked at when no slot has the name. */
#include "server/exec/cmd.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/must.h"
#include "server/config/config.h"

enum {
    COMMANDS_MAX = 512, /* half of the slots: more would not all find a place of their own */
    INDEX_BITS = 10,
    INDEX_SIZE = 1 << INDEX_BITS,
    GROUP_BITS = 8,
    GROUPS = 1 << GROUP_BITS,
    NAME_MAX_BYTES = 31 /* fits full_name; nothing longer is a command */
};

static struct cmd *commands, *subcommands; /* [const after cmd_table_init] the rows */
static unsigned command_count, subcommand_count;
static uint16_t slots[INDEX_SIZE]; /* 0: none; else number of a command + 1 */
static uint16_t shift_of[GROUPS];  /* what moves a group's names to slots that are free */
static uint8_t name_bytes[COMMANDS_MAX];

static struct renamed {
    char *name; /* [owned] */
    size_t len;
    struct cmd *cmd;
} * renamed; /* [owned] */
static unsigned renamed_count;

static inline unsigned char
lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

/* Seven letters and the length, which no two commands have in common.  The letters' case bit is
 * set, which folds some other characters too: the comparison afterwards is exact. */
static inline uint64_t
hash(const char *s, size_t len)
{
    uint64_t x = (uint64_t)(unsigned char)s[0] << 48 | (uint64_t)(unsigned char)s[len / 4] << 40 |
                 (uint64_t)(unsigned char)s[len / 2] << 32 |
                 (uint64_t)(unsigned char)s[len - 1 - len / 4] << 24 |
                 (uint64_t)(unsigned char)s[len - 1] << 16 |
                 (uint64_t)(unsigned char)s[len > 1 ? len - 2 : 0] << 8 | (unsigned char)s[len / 5];

    x = (x | 0x0020202020202020) ^ (uint64_t)len << 56;
    return (x ^ x >> 29) * 0x9e3779b97f4a7c15;
}

static inline unsigned
group_of(uint64_t h)
{
    return (unsigned)(h >> (64 - GROUP_BITS));
}

static inline unsigned
slot_of(uint64_t h, unsigned shift)
{
    return (unsigned)((h >> 32) + (h >> 20) * shift) & (INDEX_SIZE - 1);
}

static bool
name_is(const char *lower_name, struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (lower(s.ptr[i]) != (unsigned char)lower_name[i])
            return false;
    return lower_name[s.len] == '\0';
}

static struct renamed *
find_renamed(struct slice name)
{
    for (unsigned i = 0; i < renamed_count; i++) {
        size_t same = 0;
        while (same < name.len && renamed[i].len == name.len &&
               lower(renamed[i].name[same]) == lower(name.ptr[same]))
            same++;
        if (same == name.len && renamed[i].len == name.len)
            return &renamed[i];
    }
    return NULL;
}

static struct cmd *
find_elsewhere(struct slice name)
{
    const struct renamed *r = find_renamed(name);

    return r != NULL ? r->cmd : NULL;
}

struct cmd *
cmd_find(struct slice name)
{
    unsigned i;
    uint64_t h;

    if (unlikely(name.len - 1 >= NAME_MAX_BYTES))
        return find_elsewhere(name);
    h = hash(name.ptr, name.len);
    i = slots[slot_of(h, shift_of[group_of(h)])];
    if (likely(i != 0) && name_bytes[i - 1] == name.len && name_is(commands[i - 1].name, name))
        return &commands[i - 1];
    return find_elsewhere(name);
}

struct cmd *
cmd_find_sub(const struct cmd *parent, struct slice name)
{
    for (int i = 0; i < parent->sub_count; i++)
        if (name.len <= NAME_MAX_BYTES && name_is(parent->subs[i].name, name))
            return &parent->subs[i];
    return NULL;
}

struct cmd *
cmd_find_full(struct slice name)
{
    const char *bar = memchr(name.ptr, '|', name.len);
    struct slice first = name, second;
    struct cmd *cmd;

    if (bar == NULL)
        return cmd_find(name);
    first.len = (size_t)(bar - name.ptr);
    second.ptr = bar + 1;
    second.len = name.len - first.len - 1;
    if ((cmd = cmd_find(first)) == NULL)
        return NULL;
    return cmd_find_sub(cmd, second);
}

/* take_away: the name under which a command is found. */
static void
take_away(struct cmd *cmd, struct slice name)
{
    struct renamed *r = find_renamed(name);
    uint64_t h = hash(cmd->name, strlen(cmd->name));

    if (r == NULL) {
        slots[slot_of(h, shift_of[group_of(h)])] = 0;
        return;
    }
    free(r->name);
    *r = renamed[--renamed_count];
}

const char *
cmd_set_name(struct slice from, struct slice to)
{
    struct cmd *cmd = cmd_find(from), *there = cmd_find(to);
    struct renamed *grown;
    char *name;

    /* Both stay as they are where memory runs out: it is taken before anything is changed. */
    if (cmd == NULL)
        return "No such command in rename-command";
    if (there != NULL && there != cmd)
        return "Target command name already exists";
    if ((grown = realloc(renamed, (renamed_count + 1) * sizeof *renamed)) == NULL)
        return strerror(ENOMEM);
    renamed = grown;
    if ((name = malloc(to.len + 1)) == NULL)
        return strerror(ENOMEM);
    take_away(cmd, from);
    cmd->is_gone = to.len == 0;
    memcpy(name, to.ptr, to.len);
    if (cmd->is_gone)
        free(name);
    else
        renamed[renamed_count++] = (struct renamed){name, to.len, cmd};
    return NULL;
}

static void
forget_renamed(void)
{
    for (unsigned i = 0; i < renamed_count; i++)
        free(renamed[i].name);
    free(renamed);
    renamed = NULL;
    renamed_count = 0;
}

unsigned
cmd_count(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < command_count; i++)
        n += !commands[i].is_gone;
    return n;
}

struct cmd *
cmd_table(unsigned *ret_count)
{
    *ret_count = command_count;
    return commands;
}

/* Put a group's names where this shift moves them; false: a place is taken, and nothing was put. */
static bool
try_shift(unsigned group, unsigned shift)
{
    unsigned put = 0;

    for (unsigned i = 0; i < command_count; i++) {
        uint64_t h = hash(commands[i].name, strlen(commands[i].name));
        if (group_of(h) != group)
            continue;
        if (slots[slot_of(h, shift)] != 0)
            goto undo;
        slots[slot_of(h, shift)] = (uint16_t)(i + 1);
        put++;
    }
    shift_of[group] = (uint16_t)shift;
    return true;
undo:
    for (unsigned i = 0; i < command_count && put > 0; i++) {
        uint64_t h = hash(commands[i].name, strlen(commands[i].name));
        if (group_of(h) != group)
            continue;
        slots[slot_of(h, shift)] = 0;
        put--;
    }
    return false;
}

/* Hash and displace (Belazzougui, Botelho, Dietzfelbinger 2009): groups of names, the largest
 * first, each moved by the first shift that leaves all of them alone in their slots. */
static void
place_names(void)
{
    unsigned size[GROUPS] = {0}, left = GROUPS;

    for (unsigned i = 0; i < command_count; i++)
        size[group_of(hash(commands[i].name, strlen(commands[i].name)))]++;
    for (unsigned want = command_count; left > 0; want--)
        for (unsigned g = 0; g < GROUPS; g++) {
            unsigned shift = 0;
            if (size[g] != want)
                continue;
            while (want > 0 && !try_shift(g, shift))
                must(++shift < UINT16_MAX); /* two names are the same to hash() */
            left--;
        }
}

/* What Redis derives from a command's flags. */
static uint32_t
implied_categories(uint32_t flags, uint32_t given)
{
    uint32_t acl = given;

    if (flags & CMD_WRITE)
        acl |= ACL_WRITE;
    if ((flags & CMD_READONLY) != 0 && (acl & ACL_SCRIPTING) == 0)
        acl |= ACL_READ;
    if (flags & CMD_ADMIN)
        acl |= ACL_ADMIN | ACL_DANGEROUS;
    if (flags & CMD_PUBSUB)
        acl |= ACL_PUBSUB;
    if (flags & CMD_BLOCKING)
        acl |= ACL_BLOCKING;
    return acl | (flags & CMD_FAST ? ACL_FAST : ACL_SLOW);
}

/* is_row_good: what the rest relies on: that a command which may need memory is one that writes is
 * how a transaction's flags are gathered; nothing reads and writes. */
static bool
is_row_good(const struct cmd *cmd)
{
    bool writes = (cmd->flags & CMD_WRITE) != 0;

    return cmd->handler != NULL && cmd->arity != 0 && cmd->group != NULL &&
           !(writes && (cmd->flags & CMD_READONLY) != 0) &&
           (writes || (cmd->flags & CMD_DENYOOM) == 0);
}

static void
finish_row(struct cmd *cmd)
{
    int n;

    must(is_row_good(cmd) && key_spec_all_good(cmd));
    cmd->acl_categories = implied_categories(cmd->flags, cmd->acl_categories);
    key_spec_init(cmd);
    must(strlen(cmd->name) <= NAME_MAX_BYTES);
    if (cmd->parent != NULL)
        n = snprintf(cmd->full_name, sizeof cmd->full_name, "%s|%s", cmd->parent, cmd->name);
    else
        n = snprintf(cmd->full_name, sizeof cmd->full_name, "%s", cmd->name);
    must(n > 0 && (size_t)n < sizeof cmd->full_name);
}

/* adopt_subcommands: returns their number. */
static unsigned
adopt_subcommands(struct cmd *cmd)
{
    for (unsigned i = 0; i < subcommand_count; i++) {
        if (strcmp(subcommands[i].parent, cmd->name) != 0)
            continue;
        if (cmd->subs == NULL)
            cmd->subs = &subcommands[i];
        must(cmd->subs + cmd->sub_count == &subcommands[i]); /* one block */
        cmd->sub_count++;
    }
    return (unsigned)cmd->sub_count;
}

static const char *
carry_out_rename(const struct slice *words, int count)
{
    (void)count;
    return cmd_set_name(words[0], words[1]);
}

void
cmd_table_init(struct cmd *rows, unsigned count, struct cmd *sub_rows, unsigned sub_count)
{
    static struct config_directive directive = {
        .name = "rename-command", .words = 2, .carry_out = carry_out_rename};
    unsigned adopted = 0;

    must(count > 0 && count <= COMMANDS_MAX && count + sub_count <= CMD_IDS_MAX);
    commands = rows;
    command_count = count;
    subcommands = sub_rows;
    subcommand_count = sub_count;
    config_add_directive(&directive);
    forget_renamed();
    memset(slots, 0, sizeof slots);
    place_names();
    for (unsigned i = 0; i < subcommand_count; i++) {
        finish_row(&subcommands[i]);
        subcommands[i].id = command_count + i;
    }
    for (unsigned i = 0; i < command_count; i++) {
        struct cmd *cmd = &commands[i];

        finish_row(cmd);
        cmd->id = i;
        cmd->is_gone = false;
        cmd->subs = NULL;
        cmd->sub_count = 0;
        adopted += adopt_subcommands(cmd);
        name_bytes[i] = (uint8_t)strlen(cmd->name);
        must(cmd_find((struct slice){cmd->name, name_bytes[i]}) == cmd);
    }
    must(adopted == subcommand_count); /* none is of a parent that is not there */
}

void
cmd_each(void (*fn)(void *ctx, struct cmd *cmd), void *ctx)
{
    for (unsigned i = 0; i < command_count; i++) {
        fn(ctx, &commands[i]);
        for (int k = 0; k < commands[i].sub_count; k++)
            fn(ctx, &commands[i].subs[k]);
    }
}

static void
reset_stats(void *ctx, struct cmd *cmd)
{
    (void)ctx;
    free(cmd->histogram);
    cmd->histogram = NULL;
    cmd->calls = cmd->nsec = cmd->rejected = cmd->failed = 0;
}

void
cmd_table_reset_stats(void)
{
    cmd_each(reset_stats, NULL);
}

/* ---- names for COMMAND INFO; the orders are Redis's ---- */

struct bit_name {
    uint32_t bit;
    const char *name;
};

static const struct bit_name flag_names[] = {{CMD_WRITE, "write"},
                                             {CMD_READONLY, "readonly"},
                                             {CMD_DENYOOM, "denyoom"},
                                             {CMD_ADMIN, "admin"},
                                             {CMD_PUBSUB, "pubsub"},
                                             {CMD_NOSCRIPT, "noscript"},
                                             {CMD_BLOCKING, "blocking"},
                                             {CMD_LOADING, "loading"},
                                             {CMD_STALE, "stale"},
                                             {CMD_SKIP_MONITOR, "skip_monitor"},
                                             {CMD_SKIP_SLOWLOG, "skip_slowlog"},
                                             {CMD_FAST, "fast"},
                                             {CMD_NO_AUTH, "no_auth"},
                                             {CMD_NO_ASYNC_LOADING, "no_async_loading"},
                                             {CMD_NO_MULTI, "no_multi"},
                                             {CMD_NO_MANDATORY_KEYS, "no_mandatory_keys"},
                                             {CMD_MOVABLEKEYS, "movablekeys"},
                                             {CMD_ALLOW_BUSY, "allow_busy"},
                                             {0, NULL}};

static const struct bit_name category_names[] = {{ACL_KEYSPACE, "keyspace"},
                                                 {ACL_READ, "read"},
                                                 {ACL_WRITE, "write"},
                                                 {ACL_SET, "set"},
                                                 {ACL_SORTEDSET, "sortedset"},
                                                 {ACL_LIST, "list"},
                                                 {ACL_HASH, "hash"},
                                                 {ACL_STRING, "string"},
                                                 {ACL_BITMAP, "bitmap"},
                                                 {ACL_HYPERLOGLOG, "hyperloglog"},
                                                 {ACL_GEO, "geo"},
                                                 {ACL_STREAM, "stream"},
                                                 {ACL_PUBSUB, "pubsub"},
                                                 {ACL_ADMIN, "admin"},
                                                 {ACL_FAST, "fast"},
                                                 {ACL_SLOW, "slow"},
                                                 {ACL_BLOCKING, "blocking"},
                                                 {ACL_DANGEROUS, "dangerous"},
                                                 {ACL_CONNECTION, "connection"},
                                                 {ACL_TRANSACTION, "transaction"},
                                                 {ACL_SCRIPTING, "scripting"},
                                                 {0, NULL}};

static const struct bit_name key_names[] = {{KEY_RO, "RO"},
                                            {KEY_RW, "RW"},
                                            {KEY_OW, "OW"},
                                            {KEY_RM, "RM"},
                                            {KEY_ACCESS, "access"},
                                            {KEY_UPDATE, "update"},
                                            {KEY_INSERT, "insert"},
                                            {KEY_DELETE, "delete"},
                                            {KEY_VARIABLE, "variable_flags"},
                                            {KEY_NOT_KEY, "not_key"},
                                            {KEY_INCOMPLETE, "incomplete"},
                                            {0, NULL}};

const char *
cmd_flag_name(unsigned i, uint32_t *ret_bit)
{
    *ret_bit = flag_names[i].bit;
    return flag_names[i].name;
}

const char *
cmd_acl_category_name(unsigned i, uint32_t *ret_bit)
{
    *ret_bit = category_names[i].bit;
    return category_names[i].name;
}

const char *
cmd_key_flag_name(unsigned i, uint32_t *ret_bit)
{
    *ret_bit = key_names[i].bit;
    return key_names[i].name;
}
