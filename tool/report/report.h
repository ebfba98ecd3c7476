/* tool/report/report.h - stillframe-rdb report: one page of HTML that says what takes the memory.
 *
 * The page is report.html, report.css and report.js, which stand in the binary as they are; where
 * report.html says @STYLE@ and so on, something is put in.  The data is JSON in a script element
 * that no browser runs; report.js draws from it.
 * Threads: one. */
#ifndef TOOL_REPORT_REPORT_H
#define TOOL_REPORT_REPORT_H

#include "tool/base/out.h"
#include "tool/memory/survey.h"

int tool_report(int count, char **files, const struct tool_options *o);

/* page.c: the files, and how long they are. */
extern const char report_html[], report_css[], report_js[];
extern const uint64_t report_html_bytes, report_css_bytes, report_js_bytes;

/* data.c: all that the page draws.  No `<` is in it, so that it cannot end its element. */
void report_data(struct tool_out *out, const struct memory_survey *s);
/* plain.c: for who runs no scripts: tables. */
void report_plain(struct tool_out *out, const struct memory_survey *s);

#endif
