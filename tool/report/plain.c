/* tool/report/plain.c - stillframe-rdb report: what is seen where no script is run. */
#include <string.h>

#include "mm/base/printable.h"
#include "tool/report/report.h"

enum { ROWS = 30, NAME_SHOWN = 120 };

/* put_name: printable ASCII, and of that nothing that is markup. */
static void
put_name(struct tool_out *out, struct slice name)
{
    char text[4 * NAME_SHOWN + 8];

    printable(text, sizeof text, name.ptr, name.len < NAME_SHOWN ? name.len : NAME_SHOWN);
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '<' || *p == '>' || *p == '&' || *p == '"' || *p == '\'')
            tool_out_format(out, "&#%d;", *p);
        else
            tool_out_put(out, p, 1);
    }
}

static void
put_row(struct tool_out *out, const struct memory_survey *s, struct slice name,
        const struct memory_sums *sums)
{
    double percent =
        s->total.memory == 0 ? 0 : 100.0 * (double)sums->memory / (double)s->total.memory;

    tool_out_text(out, "<tr><td class=\"text wide\"><span class=\"name\">");
    put_name(out, name);
    tool_out_format(out,
                    "</span></td><td data-label=\"Memory\">%s</td><td data-label=\"Share\"><span "
                    "class=\"share\"><i style=\"width:%.1f%%\"></i></span>%.1f %%</td><td "
                    "data-label=\"Keys\">%s keys</td></tr>\n",
                    tool_size(memory_scaled(sums->memory, s->share)), percent, percent,
                    tool_count(memory_scaled(sums->keys, s->share)));
}

static void
begin_table(struct tool_out *out, const char *heading)
{
    tool_out_format(out, "<section><div class=\"head\"><h2>%s</h2></div><table><tbody>\n", heading);
}

static void
end_table(struct tool_out *out)
{
    tool_out_text(out, "</tbody></table></section>\n");
}

void
report_plain(struct tool_out *out, const struct memory_survey *s)
{
    const struct memory_prefix *root = &s->prefixes.at[0];
    char name[64];

    tool_out_text(out, "<style>main > section, .pair, .find, #theme { display: none !important }"
                       "</style>\n<section><p class=\"says\">");
    for (unsigned f = 0; f < s->file_count; f++) {
        tool_out_text(out, f == 0 ? "" : ", ");
        put_name(out, slice_of(s->files[f].path, strlen(s->files[f].path)));
    }
    tool_out_format(out,
                    ": %s in %s keys.</p><p>Where scripts may run, this page shows more."
                    "</p></section>\n",
                    tool_size(memory_scaled(s->total.memory, s->share)),
                    tool_count(memory_scaled(s->total.keys, s->share)));
    begin_table(out, "Prefixes");
    for (uint32_t i = 0; i < root->children && i < ROWS; i++) {
        const struct memory_prefix *c = memory_prefixes_child(&s->prefixes, root, i);

        put_row(out, s, slice_of(c->name, c->len), &c->sums);
    }
    end_table(out);
    begin_table(out, "Types and encodings");
    for (unsigned k = 0; k < RDB_VALUE_COUNT; k++)
        for (const struct survey_encoding *e = s->encodings[k]; e->name != NULL; e++) {
            snprintf(name, sizeof name, "%s/%s", memory_kind_name(k), e->name);
            put_row(out, s, slice_of(name, strlen(name)), &e->sums);
        }
    end_table(out);
}
