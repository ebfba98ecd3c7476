/* tool/report/page.c - the page's files, as the assembler takes them in.  Built from the root of
 * the repository; the Makefile names them as what this depends on. */
#include "tool/report/report.h"

#define FILE_OF(name, path)                                                                        \
    __asm__(".section .rodata\n"                                                                   \
            ".global " name "\n"                                                                   \
            ".global " name "_bytes\n" name ":\n"                                                  \
            ".incbin \"" path "\"\n"                                                               \
            "1: .byte 0\n"                                                                         \
            ".balign 8\n" name "_bytes:\n"                                                         \
            ".quad 1b - " name "\n"                                                                \
            ".previous\n")

FILE_OF("report_html", "tool/report/report.html");
FILE_OF("report_css", "tool/report/report.css");
FILE_OF("report_js", "tool/report/report.js");
