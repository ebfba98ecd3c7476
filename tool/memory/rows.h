/* tool/memory/rows.h - keys as rows: columns for people, CSV, JSON.
 * Threads: one. */
#ifndef TOOL_MEMORY_ROWS_H
#define TOOL_MEMORY_ROWS_H

#include "tool/base/out.h"
#include "tool/memory/top.h"

enum rows_form { ROWS_TABLE, ROWS_CSV, ROWS_JSON };
/* rows_form_of: --format. */
enum rows_form rows_form_of(const char *word);

/* rows_head, rows_put, rows_tail: what comes before all rows, a row, what comes behind them;
 * number: of rows before it.  JSON: an array. */
void rows_head(struct tool_out *out, enum rows_form form);
void rows_put(struct tool_out *out, enum rows_form form, const struct memory_row *row,
              uint64_t number);
void rows_tail(struct tool_out *out, enum rows_form form, uint64_t count);
/* rows_json: one row's object. */
void rows_json(struct tool_out *out, const struct memory_row *row);
/* rows_csv_text: quoted, if it must be; bytes as they are. */
void rows_csv_text(struct tool_out *out, struct slice s);
/* rows_name: a key's name for a person, cut after so many bytes of it. */
void rows_name(struct tool_out *out, struct slice name, uint64_t name_len, size_t most);

#endif
