/* server/exec/acl_describe.c - users in words: as rules that make them, and why they may not. */
#include <stdio.h>
#include <string.h>

#include "server/exec/acl_impl.h"

/* ---- as rules ---- */

const char *
acl_flag_name(const struct acl_user *u, unsigned i)
{
    const char *names[4] = {u->is_on ? "on" : "off"};
    unsigned count = 1;

    if (u->nopass)
        names[count++] = "nopass";
    if (u->sanitize != NULL)
        names[count++] = u->sanitize;
    return i < count ? names[i] : NULL;
}

bool
acl_password(const struct acl_user *u, unsigned i, char ret[ACL_HASH_TEXT_BYTES])
{
    if (i >= u->hash_count)
        return false;
    for (unsigned k = 0; k < ACL_HASH_BYTES; k++)
        snprintf(ret + (size_t)2 * k, 3, "%02x", u->hashes[i][k]);
    return true;
}

static void
describe_commands(const struct acl_selector *s, struct text *out)
{
    text_add(out, s->all_commands ? "+@all" : "-@all");
    if (s->rules.len > 0)
        text_add(out, " ");
    text_add_bytes(out, text_str(&s->rules), s->rules.len);
}

static void
describe_keys(const struct acl_selector *s, struct text *out)
{
    static const char *const heads[] = {
        [ACL_MAY_READ] = "%R~", [ACL_MAY_WRITE] = "%W~", [ACL_MAY_BOTH] = "~"};

    if (s->all_keys)
        text_add(out, "~*");
    for (unsigned i = 0; i < s->keys.count; i++) {
        const struct acl_pattern *p = &s->keys.at[i];
        text_add(out, i > 0 ? " " : "");
        /* read again, ~* would be allkeys, which takes no pattern behind it */
        text_add(out,
                 p->access == ACL_MAY_BOTH && slice_is(p->text, "*") ? "%RW~" : heads[p->access]);
        text_add_bytes(out, s->keys.at[i].text.ptr, s->keys.at[i].text.len);
    }
}

static void
describe_channels(const struct acl_selector *s, struct text *out)
{
    if (s->all_channels)
        text_add(out, "&*");
    for (unsigned i = 0; i < s->channels.count; i++) {
        text_add(out, i > 0 ? " &" : "&");
        text_add_bytes(out, s->channels.at[i].text.ptr, s->channels.at[i].text.len);
    }
}

static void
describe_selector(const struct acl_selector *s, struct text *out)
{
    describe_keys(s, out);
    if (s->all_keys || s->keys.count > 0)
        text_add(out, " ");
    if (!s->all_channels)
        text_add(out, s->channels.count > 0 ? "resetchannels " : "resetchannels");
    describe_channels(s, out);
    text_add(out, " ");
    describe_commands(s, out);
}

void
acl_describe(const struct acl_user *u, struct text *out)
{
    char hash[ACL_HASH_TEXT_BYTES];
    const char *flag;

    text_addf(out, "user %s ", u->name);
    for (unsigned i = 0; (flag = acl_flag_name(u, i)) != NULL; i++)
        text_addf(out, "%s ", flag);
    for (unsigned i = 0; acl_password(u, i, hash); i++)
        text_addf(out, "#%s ", hash);
    describe_selector(&u->selectors[0], out);
    for (unsigned i = 1; i < u->selector_count; i++) {
        text_add(out, " (");
        describe_selector(&u->selectors[i], out);
        text_add(out, ")");
    }
}

void
acl_describe_commands(const struct acl_user *u, unsigned selector, struct text *out)
{
    describe_commands(&u->selectors[selector], out);
}

void
acl_describe_keys(const struct acl_user *u, unsigned selector, struct text *out)
{
    describe_keys(&u->selectors[selector], out);
}

void
acl_describe_channels(const struct acl_user *u, unsigned selector, struct text *out)
{
    describe_channels(&u->selectors[selector], out);
}

/* ---- why not ---- */

void
acl_denial(struct text *out, enum acl_verdict why, const struct acl_user *u, const struct cmd *cmd,
           struct slice object, bool verbose)
{
    const char *what = why == ACL_DENIED_KEY ? "key" : "channel";

    if (u == NULL)
        u = acl_default();
    if (why == ACL_DENIED_COMMAND) {
        text_addf(out, "User %s has no permissions to run the '%s' command", u->name,
                  cmd->full_name);
    } else if (verbose) {
        text_addf(out, "User %s has no permissions to access the '", u->name);
        text_add_bytes(out, object.ptr, object.len);
        text_addf(out, "' %s", what);
    } else {
        text_addf(out, "No permissions to access a %s", what);
    }
}
