/* server/exec/acl.h - who may do what: users, their passwords, and what each may execute, on which
 * keys and channels.
 *
 * A user has one or more *selectors*, the first of which is its *root*: a set of commands,
 * patterns of keys (each for reading, for writing or for both) and patterns of channels.  A command
 * may run if one selector alone allows it, its keys and its channels.
 *
 *   AC1 What a client's user may do is looked at before each command, and once more for each
 *       command of a transaction when EXEC comes to it.  Of a client whose user may do everything
 *       that costs one flag (client.h: is_limited).
 *   AC2 A user stays at its address as long as a client acts for it.  Who acts for a user that
 *       goes is closed in the same command; so is who listens to what its user may hear no longer.
 *   AC3 A change is made to a copy, and takes place as a whole or not at all.
 *   AC4 Passwords are kept as SHA-256, and compared in a time that does not depend on them.
 *   AC5 Rules are told in the order in which they were given, so that who reads them again gets
 *       the same user.
 *
 * The texts of errors are Redis's. [Redis documentation: "ACL"]
 * Threads: mutator. */
#ifndef SERVER_EXEC_ACL_H
#define SERVER_EXEC_ACL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mm/base/slice.h"

struct acl_user;
struct client;
struct cmd;
struct text;

/* The refusals in Redis's order: of several selectors' reasons the last one counts. */
enum acl_verdict {
    ACL_GRANTED,
    ACL_DENIED_COMMAND,
    ACL_DENIED_KEY,
    ACL_DENIED_AUTH, /* for the log alone: a wrong password */
    ACL_DENIED_CHANNEL
};

/* ---- what may run ---- */

/* acl_check: may this user (NULL: default) execute these words, a call of cmd?  If not, *ret_at (if
 * it is not NULL) is the argument that is in the way; of a command 0.  Commands that need no
 * authentication always may.
 * Cost    a bit for the command; argument times patterns for keys and channels. */
enum acl_verdict acl_check(const struct acl_user *u, const struct cmd *cmd,
                           const struct slice *argv, int argc, int *ret_at);
/* acl_grants: acl_check() == ACL_GRANTED, sooner: the common ways to it come first.  The arity
 * fits. */
bool acl_grants(const struct acl_user *u, const struct cmd *cmd, const struct slice *argv,
                int argc);
/* acl_check_reading_all: acl_check(), by a selector that may read every key: what SORT needs for
 * keys that it finds in elements. */
bool acl_check_reading_all(const struct acl_user *u, const struct cmd *cmd,
                           const struct slice *argv, int argc);
/* acl_denial: why, as a reply tells it, without NOPERM.  object: the key or channel, which only
 * `verbose` shows. */
void acl_denial(struct text *out, enum acl_verdict why, const struct acl_user *u,
                const struct cmd *cmd, struct slice object, bool verbose);

/* ---- users ---- */

/* acl_init: there is one user, default, who may do everything and needs no password.  Again: those
 * that were made since are gone; no client acts for one.  False: no memory. */
bool acl_init(void);
/* acl_find: NULL: there is none. */
struct acl_user *acl_find(struct slice name);
/* acl_default: the user of who has not said otherwise; it never goes. */
struct acl_user *acl_default(void);
/* acl_user_count, acl_user_at: all users, in the order of their names' bytes. */
unsigned acl_user_count(void);
const struct acl_user *acl_user_at(unsigned i);
const char *acl_name(const struct acl_user *u); /* it has no blank, nor a NUL */
/* acl_is_limited: is there anything that it may not do?
 * acl_needs_password: has a client to log in before it may act for it?
 * acl_takes_any_password: nopass. */
bool acl_is_limited(const struct acl_user *u);
bool acl_needs_password(const struct acl_user *u);
bool acl_takes_any_password(const struct acl_user *u);
/* acl_password_is: may one act for it (NULL: nobody may) with this password?  Not if it is off. */
bool acl_password_is(const struct acl_user *u, struct slice password);

/* acl_set_user: make the user if there is none, and apply the rules.  False: nothing was changed,
 * and *why says what is wrong.  The changed user's clients hear of it (AC2). */
bool acl_set_user(struct slice name, const struct slice *rules, int count, struct text *why);
/* acl_set_default_password: the one that default has from now on; "": it needs none.  False: no
 * memory, and nothing was changed. */
bool acl_set_default_password(struct slice password);
/* acl_delete_user: not default.  False: there is none. */
bool acl_delete_user(struct slice name);

/* ---- how a user is described ---- */

/* acl_describe: "user alice on #... ~* &* +@all", as ACL LIST and files have it. */
void acl_describe(const struct acl_user *u, struct text *out);
/* acl_selectors, and what ACL GETUSER says of each; 0 is the root. */
unsigned acl_selectors(const struct acl_user *u);
void acl_describe_commands(const struct acl_user *u, unsigned selector, struct text *out);
void acl_describe_keys(const struct acl_user *u, unsigned selector, struct text *out);
void acl_describe_channels(const struct acl_user *u, unsigned selector, struct text *out);
/* acl_flag_name: "on", "nopass", ...; NULL behind the last.
 * acl_password: the hash in hexadecimal digits, into 65 bytes; false: there are no more. */
const char *acl_flag_name(const struct acl_user *u, unsigned i);
enum { ACL_HASH_TEXT_BYTES = 65 };
bool acl_password(const struct acl_user *u, unsigned i, char ret[ACL_HASH_TEXT_BYTES]);

/* ---- clients ---- */

/* acl_user_of: for whom it acts. */
struct acl_user *acl_user_of(const struct client *c);
/* acl_act_as: from now on for this one; NULL: default. */
void acl_act_as(struct client *c, struct acl_user *u);

/* ---- users in files ---- */

/* acl_config_init: the configuration's lines "user ..." are known from now on.  Before
 * config_load(), after cmd_table_init(). */
void acl_config_init(void);
/* acl_start: the users of the configuration, or of the aclfile.  False: it was logged why they
 * cannot be as they are written.  Once, after acl_init(). */
bool acl_start(void);
/* acl_load, acl_save: the aclfile.  False, and *why: nothing was changed. */
bool acl_load(struct text *why);
bool acl_save(struct text *why);

#endif
