/* server/commands/server/acl.c - ACL and its subcommands. */
#include "server/exec/acl.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "mm/base/clock.h"
#include "mm/base/log.h"
#include "mm/base/text.h"
#include "server/config/config.h"
#include "server/exec/acl_log.h"
#include "server/exec/args.h"
#include "server/exec/cmd.h"
#include "server/exec/handlers.h"
#include "server/net/client.h"
#include "server/net/reply.h"

#include "server/commands/server/server.def"

enum { LOG_DEFAULT = 10, PASSWORD_BITS = 256, PASSWORD_BITS_MAX = 4096 };

static void
reply_text(struct client *c, struct text *t)
{
    reply_bulk(c, text_str(t), t->len);
    text_free(t);
}

static void
reply_error_text(struct client *c, struct text *t)
{
    reply_why(c, "", t);
    text_free(t);
}

/* ---- users ---- */

/* ACL SETUSER name [rule ...] -> OK. */
void
cmd_acl_setuser(struct client *c)
{
    struct text why = {0};

    if (acl_set_user(c->argv[2], c->argv + 3, c->argc - 3, &why))
        reply_ok(c);
    else
        reply_error_text(c, &why);
}

/* ACL DELUSER name ... -> how many. */
void
cmd_acl_deluser(struct client *c)
{
    int64_t deleted = 0;

    for (int i = 2; i < c->argc; i++) {
        if (slice_is(c->argv[i], "default")) {
            reply_error(c, "ERR The 'default' user cannot be removed");
            return;
        }
    }
    for (int i = 2; i < c->argc; i++)
        deleted += acl_delete_user(c->argv[i]);
    reply_int(c, deleted);
}

static void
reply_flags(struct client *c, const struct acl_user *u)
{
    unsigned count = 0;

    while (acl_flag_name(u, count) != NULL)
        count++;
    reply_set(c, count);
    for (unsigned i = 0; i < count; i++)
        reply_bulk_text(c, acl_flag_name(u, i));
}

static void
reply_passwords(struct client *c, const struct acl_user *u)
{
    size_t token = reply_array_deferred(c);
    char hash[ACL_HASH_TEXT_BYTES];
    unsigned count = 0;

    while (acl_password(u, count, hash)) {
        reply_bulk_text(c, hash);
        count++;
    }
    reply_array_close(c, token, count);
}

/* Its fields, behind a map's header. */
static void
reply_selector(struct client *c, const struct acl_user *u, unsigned i)
{
    struct text commands = {0}, keys = {0}, channels = {0};

    acl_describe_commands(u, i, &commands);
    acl_describe_keys(u, i, &keys);
    acl_describe_channels(u, i, &channels);
    reply_bulk_text(c, "commands");
    reply_text(c, &commands);
    reply_bulk_text(c, "keys");
    reply_text(c, &keys);
    reply_bulk_text(c, "channels");
    reply_text(c, &channels);
}

/* ACL GETUSER name -> a map, or null. */
void
cmd_acl_getuser(struct client *c)
{
    const struct acl_user *u = acl_find(c->argv[2]);
    unsigned selectors;

    if (u == NULL) {
        reply_null(c);
        return;
    }
    selectors = acl_selectors(u);
    reply_map(c, 6);
    reply_bulk_text(c, "flags");
    reply_flags(c, u);
    reply_bulk_text(c, "passwords");
    reply_passwords(c, u);
    reply_selector(c, u, 0);
    reply_bulk_text(c, "selectors");
    reply_array(c, selectors - 1);
    for (unsigned i = 1; i < selectors; i++) {
        reply_map(c, 3);
        reply_selector(c, u, i);
    }
}

/* ACL LIST -> each user as a line of a file. */
void
cmd_acl_list(struct client *c)
{
    reply_array(c, acl_user_count());
    for (unsigned i = 0; i < acl_user_count(); i++) {
        struct text t = {0};
        acl_describe(acl_user_at(i), &t);
        reply_text(c, &t);
    }
}

/* ACL USERS -> their names. */
void
cmd_acl_users(struct client *c)
{
    reply_array(c, acl_user_count());
    for (unsigned i = 0; i < acl_user_count(); i++)
        reply_bulk_text(c, acl_name(acl_user_at(i)));
}

/* ACL WHOAMI -> for whom the connection acts. */
void
cmd_acl_whoami(struct client *c)
{
    reply_bulk_text(c, acl_name(acl_user_of(c)));
}

/* ---- commands ---- */

struct listing {
    struct client *client;
    uint32_t category;
    size_t count;
};

static void
list_one(void *ctx, struct cmd *cmd)
{
    struct listing *l = ctx;

    if ((cmd->acl_categories & l->category) == 0)
        return;
    reply_bulk_text(l->client, cmd->full_name);
    l->count++;
}

static void
list_categories(struct client *c)
{
    size_t token = reply_array_deferred(c);
    unsigned count = 0;
    const char *name;
    uint32_t bit;

    for (; (name = cmd_acl_category_name(count, &bit)) != NULL; count++)
        reply_bulk_text(c, name);
    reply_array_close(c, token, count);
}

/* ACL CAT [category] -> the categories, or the commands of one. */
void
cmd_acl_cat(struct client *c)
{
    struct listing l = {.client = c};
    const char *name;
    size_t token;
    uint32_t bit;

    if (c->argc > 3) {
        reply_subcommand_syntax(c);
        return;
    }
    if (c->argc == 2) {
        list_categories(c);
        return;
    }
    for (unsigned i = 0; (name = cmd_acl_category_name(i, &bit)) != NULL; i++)
        if (arg_is(c, 2, name))
            l.category = bit;
    if (l.category == 0) {
        reply_errorf(c, "ERR Unknown category '%.*s'", slice_shown(c->argv[2]), c->argv[2].ptr);
        return;
    }
    token = reply_array_deferred(c);
    cmd_each(list_one, &l);
    reply_array_close(c, token, l.count);
}

/* ACL DRYRUN user command [argument ...] -> OK, or why it would be refused. */
void
cmd_acl_dryrun(struct client *c)
{
    const struct acl_user *u = acl_find(c->argv[2]);
    const struct slice *argv = c->argv + 3;
    int argc = c->argc - 3, at;
    const struct cmd *cmd = cmd_find(argv[0]);
    enum acl_verdict verdict;
    struct text t = {0};

    if (u == NULL) {
        reply_errorf(c, "ERR User '%.*s' not found", slice_shown(c->argv[2]), c->argv[2].ptr);
        return;
    }
    if (cmd != NULL && cmd->subs != NULL && argc > 1)
        cmd = cmd_find_sub(cmd, argv[1]);
    if (cmd == NULL) {
        reply_errorf(c, "ERR Command '%.*s' not found", slice_shown(argv[0]), argv[0].ptr);
        return;
    }
    if (!cmd_arity_is_good(cmd, argc)) {
        reply_errorf(c, "ERR wrong number of arguments for '%s' command", cmd->full_name);
        return;
    }
    if ((verdict = acl_check(u, cmd, argv, argc, &at)) == ACL_GRANTED) {
        reply_ok(c);
        return;
    }
    acl_denial(&t, verdict, u, cmd, argv[at], true);
    reply_text(c, &t);
}

/* ACL GENPASS [bits] -> a password, in hexadecimal digits. */
void
cmd_acl_genpass(struct client *c)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[PASSWORD_BITS_MAX / 8];
    char text[PASSWORD_BITS_MAX / 4];
    int64_t bits = PASSWORD_BITS;
    size_t len;

    if (c->argc > 3) {
        reply_subcommand_syntax(c);
        return;
    }
    if (c->argc == 3 && !arg_int(c, 2, &bits))
        return;
    if (bits < 1 || bits > PASSWORD_BITS_MAX) {
        reply_error(
            c,
            "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096");
        return;
    }
    for (size_t got = 0; got < sizeof bytes;) {
        ssize_t n = getrandom(bytes + got, sizeof bytes - got, 0);
        if (n < 0 && errno != EINTR) { /* what can be guessed is no password */
            reply_errorf(c, "ERR the system gave no random numbers: %s", strerror(errno));
            return;
        }
        got += n > 0 ? (size_t)n : 0;
    }
    len = (size_t)(bits + 3) / 4;
    for (size_t i = 0; i < len; i++)
        text[i] = digits[bytes[i / 2] >> (i % 2 * 4) & 15];
    reply_bulk(c, text, len);
}

/* ---- the log ---- */

static void
reply_entry(struct client *c, const struct acl_log_entry *e)
{
    static const char *const reasons[] = {[ACL_DENIED_COMMAND] = "command",
                                          [ACL_DENIED_KEY] = "key",
                                          [ACL_DENIED_AUTH] = "auth",
                                          [ACL_DENIED_CHANNEL] = "channel"};
    static const char *const contexts[] = {
        [ACL_FROM_CLIENT] = "toplevel", [ACL_FROM_MULTI] = "multi", [ACL_FROM_SCRIPT] = "lua"};

    reply_map(c, 10);
    reply_bulk_text(c, "count");
    reply_int(c, e->count);
    reply_bulk_text(c, "reason");
    reply_bulk_text(c, reasons[e->reason]);
    reply_bulk_text(c, "context");
    reply_bulk_text(c, contexts[e->context]);
    reply_bulk_text(c, "object");
    reply_bulk(c, e->object.ptr, e->object.len);
    reply_bulk_text(c, "username");
    reply_bulk(c, e->user.ptr, e->user.len);
    reply_bulk_text(c, "age-seconds");
    reply_double(c, (double)(clock_now.ms - e->updated_ms) / 1000);
    reply_bulk_text(c, "client-info");
    reply_bulk(c, e->client.ptr, e->client.len);
    reply_bulk_text(c, "entry-id");
    reply_int(c, (int64_t)e->id);
    reply_bulk_text(c, "timestamp-created");
    reply_int(c, e->created_ms);
    reply_bulk_text(c, "timestamp-last-updated");
    reply_int(c, e->updated_ms);
}

/* ACL LOG [count | RESET] -> the newest entries, or OK. */
void
cmd_acl_log(struct client *c)
{
    int64_t wanted = LOG_DEFAULT;

    if (c->argc > 3) {
        reply_subcommand_syntax(c);
        return;
    }
    if (c->argc == 3 && arg_is(c, 2, "reset")) {
        acl_log_clear();
        reply_ok(c);
        return;
    }
    if (c->argc == 3 && !arg_int(c, 2, &wanted))
        return;
    if (wanted < 0)
        wanted = 0;
    if (wanted > acl_log_count())
        wanted = acl_log_count();
    reply_array(c, (size_t)wanted);
    for (const struct acl_log_entry *e = acl_log_newest(); e != NULL && wanted > 0;
         e = e->next, wanted--)
        reply_entry(c, e);
}

/* ---- the file ---- */

static bool
has_file(struct client *c)
{
    if (config.aclfile[0] != '\0')
        return true;
    reply_error(
        c,
        "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users in the Redis configuration.");
    return false;
}

/* ACL LOAD -> OK: the users are those of the file. */
void
cmd_acl_load(struct client *c)
{
    struct text why = {0};

    if (!has_file(c))
        return;
    if (acl_load(&why))
        reply_ok(c);
    else
        reply_why(c, "ERR ", &why);
    text_free(&why);
}

/* ACL SAVE -> OK: the file has the users. */
void
cmd_acl_save(struct client *c)
{
    struct text why = {0};

    if (!has_file(c))
        return;
    if (acl_save(&why)) {
        reply_ok(c);
    } else {
        log_line(LOG_WARNING, "Saving ACLs failed: %s", text_why(&why));
        reply_error(
            c,
            "ERR There was an error trying to save the ACLs. Please check the server logs for more information");
    }
    text_free(&why);
}
