/* server/exec/acl_impl.h - what a user is made of, for acl*.c.
 * Threads: mutator. */
#ifndef SERVER_EXEC_ACL_IMPL_H
#define SERVER_EXEC_ACL_IMPL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "mm/base/fault.h"
#include "mm/base/slice.h"
#include "mm/base/text.h"
#include "server/exec/acl.h"
#include "server/exec/cmd.h"

enum { ACL_HASH_BYTES = 32 };

/* What a pattern of keys allows to be done to them. */
enum acl_access { ACL_MAY_READ = 1, ACL_MAY_WRITE = 2, ACL_MAY_BOTH = 3 };

/* How a pattern is compared: most end in their only star, behind eight bytes at most (head says
 * all of them), or have none. */
enum acl_pattern_kind { PATTERN_GLOB, PATTERN_PREFIX, PATTERN_SHORT_PREFIX, PATTERN_EXACT };

struct acl_pattern {
    struct slice text;   /* [owned] */
    uint64_t head, mask; /* its first bytes, as they stand in memory; of a glob none */
    uint8_t access;      /* of channels: ACL_MAY_BOTH */
    uint8_t kind;
};

struct acl_patterns {
    struct acl_pattern *at; /* [owned] */
    unsigned count;
};

/* A command that may run with this first argument, although it may not with others. */
struct acl_first_arg {
    const struct cmd *cmd;
    char *word; /* [owned] */
};

struct acl_selector {
    bool all_commands; /* as it was said last, +@all or -@all; rules has what was said since */
    bool all_keys, all_channels;
    uint64_t commands[CMD_IDS_MAX / 64];
    struct acl_first_arg *first_args; /* [owned] */
    unsigned first_arg_count;
    struct acl_patterns keys, channels;
    struct text rules; /* [owned] "+@string -set" */
};

struct acl_user {
    char *name; /* [owned] */
    bool is_on, nopass, is_limited;
    const char *sanitize;              /* what was said of payloads, in its words; NULL: nothing */
    uint8_t (*hashes)[ACL_HASH_BYTES]; /* [owned] */
    unsigned hash_count;
    struct acl_selector *selectors; /* [owned] at least one */
    unsigned selector_count;
};

/* ---- acl_user.c: their memory ---- */

/* acl_realloc: realloc() for all that users own; it may be told to fail (mm/base/fault.def). */
static inline void *
acl_realloc(void *p, size_t bytes)
{
    return fault_point(FAULT_acl_alloc) ? NULL : realloc(p, bytes);
}

/* acl_default_user: in acl_users, always, and at one address.  [acl_table.c sets it] */
extern struct acl_user *acl_default_user;

/* acl_user_new: off, without a password, and may do nothing.  NULL: no memory. */
struct acl_user *acl_user_new(struct slice name);
void acl_user_free(struct acl_user *u);
/* acl_user_copy: NULL: no memory. */
struct acl_user *acl_user_copy(const struct acl_user *u);
/* acl_user_swap: all but the address. */
void acl_user_swap(struct acl_user *a, struct acl_user *b);
/* acl_user_settle: what follows from the rules is as they say, after the last of them. */
void acl_user_settle(struct acl_user *u);
/* acl_selector_init: it allows nothing, but for what acl-pubsub-default says of channels. */
void acl_selector_init(struct acl_selector *s);
void acl_selector_fini(struct acl_selector *s);
void acl_patterns_clear(struct acl_patterns *p);
/* acl_patterns_add: false: no memory.  What is there already is not added again, but allows what
 * both do. */
bool acl_patterns_add(struct acl_patterns *p, struct slice text, unsigned access);
void acl_first_args_clear(struct acl_selector *s);
/* acl_first_args_drop: those of one command. */
void acl_first_args_drop(struct acl_selector *s, const struct cmd *cmd);
bool acl_first_args_add(struct acl_selector *s, const struct cmd *cmd, struct slice word);

/* ---- acl_rules.c: what is written of them ---- */

/* acl_name_is_good: a user may be called that. */
bool acl_name_is_good(struct slice name);
/* acl_apply: one rule.  NULL: done; else what is wrong with it. */
const char *acl_apply(struct acl_user *u, struct slice rule);
/* acl_apply_all: rules in order, words of a selector put together; then it is settled.  NULL; or
 * what is wrong, with *ret_rule the one it is about, in *scratch.  *ret_open: it has a parenthesis
 * that nothing closes. */
const char *acl_apply_all(struct acl_user *u, const struct slice *rules, int count,
                          struct text *scratch, struct slice *ret_rule, bool *ret_open);
void acl_hash(struct slice password, uint8_t ret[ACL_HASH_BYTES]);

/* ---- acl_check.c ---- */

bool acl_pattern_matches(const struct acl_pattern *p, struct slice text);
/* acl_may_listen: by any selector's patterns; is_pattern: to all that one matches. */
bool acl_may_listen(const struct acl_user *u, struct slice channel, bool is_pattern);

/* ---- acl_clients.c: who acts for a user hears of its changes ---- */

void acl_clients_changed(const struct acl_user *u);
void acl_clients_close(const struct acl_user *u);

/* ---- acl_table.c: all of them ---- */

/* A set of users, in the order of their names' bytes. */
struct acl_table {
    struct acl_user **at; /* [owned] and what they point to */
    unsigned count;
};
extern struct acl_table acl_users;
struct acl_user *acl_table_find(const struct acl_table *t, struct slice name);
/* acl_table_add: u is the table's from then on; its name is not there.  False: no memory. */
bool acl_table_add(struct acl_table *t, struct acl_user *u);
void acl_table_clear(struct acl_table *t);
/* acl_table_replace: these are the users from now on, default among them; *t has the old ones.  Who
 * is in both stays at its address; clients of users that are others now, or gone, are closed, but
 * for those of default. */
void acl_table_replace(struct acl_table *t);
/* acl_new_default: default as it is in the beginning, with requirepass.  NULL: no memory. */
struct acl_user *acl_new_default(void);

#endif
