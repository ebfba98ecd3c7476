/* tool/base/color.c - should what is printed have colours?  NO_COLOR: https://no-color.org */
#include "tool/base/color.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool
tool_color(const struct tool_options *o, FILE *stream)
{
    const char *none = getenv("NO_COLOR"), *term = getenv("TERM");

    if (strcmp(o->color, "auto") != 0)
        return strcmp(o->color, "always") == 0;
    return (none == NULL || none[0] == '\0') && term != NULL && strcmp(term, "dumb") != 0 &&
           isatty(fileno(stream)) == 1;
}
