/* tool/base/options.c - the table of options, and one option's text into its field. */
#include "tool/base/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mm/base/must.h"
#include "tool/base/tool.h"

const struct tool_option tool_options[] = {
#define OPTION(group, name, brief, kind, standard, field, argument, about)                         \
    {TOOL_G_##group, name, brief, TOOL_##kind, standard, offsetof(struct tool_options, field),     \
     argument,       about},
#include "tool/base/options.def"
#undef OPTION
};
const unsigned tool_option_count = sizeof tool_options / sizeof *tool_options;

bool
tool_parse_bytes(const char *text, uint64_t *ret)
{
    static const char *const units[] = {"b", "k", "m", "g", "t"};
    double v, scale = 1;
    char *end;

    if (!isdigit((unsigned char)*text))
        return false;
    v = strtod(text, &end);
    for (unsigned u = 0; u < sizeof units / sizeof *units; u++, scale *= 1024)
        if (strncasecmp(end, units[u], 1) == 0) {
            end++;
            if (u > 0 && (*end == 'b' || *end == 'B'))
                end++;
            break;
        }
    if (scale > 1024.0 * 1024 * 1024 * 1024) /* no unit */
        scale = 1;
    if (*end != '\0' || v * scale >= 0x1p63)
        return false;
    *ret = (uint64_t)(v * scale);
    return true;
}

bool
tool_parse_range(const char *text, uint64_t *ret_from, uint64_t *ret_until)
{
    const char *dash = strchr(text, '-');
    char from[32];

    *ret_from = 0;
    *ret_until = UINT64_MAX;
    if (dash == NULL) {
        if (!tool_parse_bytes(text, ret_from))
            return false;
        *ret_until = *ret_from;
        return true;
    }
    if ((size_t)(dash - text) >= sizeof from || (dash == text && dash[1] == '\0'))
        return false;
    memcpy(from, text, (size_t)(dash - text));
    from[dash - text] = '\0';
    return (dash == text || tool_parse_bytes(from, ret_from)) &&
           (dash[1] == '\0' || tool_parse_bytes(dash + 1, ret_until)) && *ret_from <= *ret_until;
}

/* is_one_of: text is one of the words "a|b|c". */
static bool
is_one_of(const char *text, const char *words)
{
    size_t len = strlen(text);

    for (const char *w = words; w != NULL; w = strchr(w, '|') == NULL ? NULL : strchr(w, '|') + 1)
        if (strcspn(w, "|") == len && strncmp(w, text, len) == 0)
            return true;
    return false;
}

static bool
parse_number(const char *text, uint64_t *ret)
{
    char *end;

    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    *ret = strtoull(text, &end, 10);
    return *end == '\0' && errno == 0;
}

static bool
add_text(struct tool_texts *t, const char *text)
{
    t->at = tool_got(realloc(t->at, (t->count + 1) * sizeof *t->at));
    t->at[t->count++] = text;
    return true;
}

bool
tool_options_set(struct tool_options *o, const struct tool_option *option, const char *text)
{
    void *field = (char *)o + option->at;

    switch (option->kind) {
    case TOOL_FLAG:
        *(bool *)field = true;
        return true;
    case TOOL_NUMBER:
        return parse_number(text, field);
    case TOOL_BYTES:
        return tool_parse_bytes(text, field);
    case TOOL_CHOICE:
        if (!is_one_of(text, option->argument))
            return false;
        *(const char **)field = text;
        return true;
    case TOOL_TEXT:
        *(const char **)field = text;
        return true;
    case TOOL_TEXTS:
        return add_text(field, text);
    }
    never("a kind of option that is none");
}

void
tool_options_init(struct tool_options *o)
{
    memset(o, 0, sizeof *o);
    for (unsigned i = 0; i < tool_option_count; i++)
        if (tool_options[i].standard != NULL)
            must(tool_options_set(o, &tool_options[i], tool_options[i].standard));
}

void
tool_options_fini(struct tool_options *o)
{
    for (unsigned i = 0; i < tool_option_count; i++)
        if (tool_options[i].kind == TOOL_TEXTS)
            free(((struct tool_texts *)(void *)((char *)o + tool_options[i].at))->at);
}
