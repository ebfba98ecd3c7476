/* tool/salvage/report.c - the list of what was lost. */
#include "tool/salvage/report.h"

#include "mm/base/must.h"
#include "mm/base/printable.h"

enum { TOLD_MOST = 10 };

static const char *
kind_word(enum loss_kind kind)
{
    static const char *const words[LOSS_KINDS] = {"damaged",  "doubtful", "unreadable", "cut",
                                                  "database", "checksum", "count",      "repaired"};

    must(kind < LOSS_KINDS);
    return words[kind];
}

/* sequence: how many bytes at p are one character of UTF-8; 0: none. */
static size_t
sequence(const uint8_t *p, size_t left)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = *p < 0x80 ? 1 : *p >= 0xf0 && *p < 0xf8 ? 4 : *p >= 0xe0 ? 3 : *p >= 0xc0 ? 2 : 0;
    uint32_t c;

    if (n <= 1 || *p >= 0xf8 || n > left)
        return n == 1 ? 1 : 0;
    c = *p & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : n;
}

/* put_json_string: bytes that are no UTF-8 as \udc80 to \udcff. */
static void
put_json_string(struct tool_out *out, const void *bytes, size_t len)
{
    const uint8_t *p = bytes, *end = p + len;

    tool_out_put(out, "\"", 1);
    while (p < end) {
        size_t n = sequence(p, (size_t)(end - p));

        if (n == 0)
            tool_out_format(out, "\\udc%02x", *p);
        else if (n == 1 && (*p == '"' || *p == '\\'))
            tool_out_format(out, "\\%c", *p);
        else if (n == 1 && (*p < 0x20 || *p == 0x7f))
            tool_out_format(out, "\\u%04x", *p);
        else
            tool_out_put(out, p, n);
        p += n == 0 ? 1 : n;
    }
    tool_out_put(out, "\"", 1);
}

static void
put_loss(struct tool_out *out, const struct loss *l)
{
    tool_out_format(out, "{\"from\":%llu,\"until\":%llu,\"what\":\"%s\",\"kept\":%s,\"db\":",
                    (unsigned long long)l->from, (unsigned long long)l->until, kind_word(l->kind),
                    l->is_kept ? "true" : "false");
    if (l->db < DB_UNKNOWN)
        tool_out_format(out, "%llu", (unsigned long long)l->db);
    else
        tool_out_text(out, "null");
    tool_out_text(out, ",\"key\":");
    if (l->has_key)
        put_json_string(out, l->key, l->key_len);
    else
        tool_out_text(out, "null");
    tool_out_format(out, ",\"key_is_cut\":%s,\"keys\":%llu,\"reason\":",
                    l->is_key_cut ? "true" : "false", (unsigned long long)l->keys);
    put_json_string(out, l->reason, strlen(l->reason));
    tool_out_text(out, "}\n");
}

int
report_list(struct scan *s, struct tool_out *out)
{
    struct loss l;
    int r;

    for (uint64_t i = 0; i < s->losses.count; i++) {
        if ((r = records_get(&s->losses, i, &l)) < 0)
            return r;
        put_loss(out, &l);
    }
    return 0;
}

static void
tell(const char *path, const struct loss *l)
{
    char key[128] = "";

    if (l->has_key)
        printable(key, sizeof key, l->key, l->key_len);
    fprintf(stderr, "stillframe-rdb: %s: byte %llu", path, (unsigned long long)l->from);
    if (l->until > l->from)
        fprintf(stderr, " to %llu", (unsigned long long)l->until);
    fprintf(stderr, ": %s%s: %s", kind_word(l->kind), l->is_kept ? ", kept" : "", l->reason);
    if (l->has_key)
        fprintf(stderr, " (key \"%s\")", key);
    else if (l->keys > 1)
        fprintf(stderr, " (%s keys)", tool_count(l->keys));
    fputc('\n', stderr);
}

int
report_text(struct scan *s, const char *path, uint64_t written)
{
    uint64_t lost = 0, doubtful = 0;
    struct loss l;
    int r;

    for (uint64_t i = 0; i < s->losses.count; i++) {
        if ((r = records_get(&s->losses, i, &l)) < 0)
            return r;
        lost += l.is_kept ? 0 : l.keys;
        doubtful += l.is_kept || l.kind != LOSS_DOUBTFUL ? 0 : l.keys;
        if (i < TOLD_MOST)
            tell(path, &l);
    }
    if (s->losses.count > TOLD_MOST)
        fprintf(stderr, "stillframe-rdb: %s: ... and %s more (--list names all)\n", path,
                tool_count(s->losses.count - TOLD_MOST));
    fprintf(stderr, "stillframe-rdb: %s: %s key%s written, %s known to be lost", path,
            tool_count(written), written == 1 ? "" : "s", tool_count(lost));
    if (doubtful > 0)
        fprintf(stderr, " (--keep-doubtful keeps %s of them)", tool_count(doubtful));
    fputc('\n', stderr);
    return 0;
}
