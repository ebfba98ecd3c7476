/* tests/support/conf.h - the configuration alone, for its tests: as text, in and out. */
#ifndef TESTS_SUPPORT_CONF_H
#define TESTS_SUPPORT_CONF_H

#include "mm/base/text.h"

/* conf_open, conf_close: a checked fixture: the defaults. */
void conf_open(void);
void conf_close(void);
/* conf_why: why the last one of these was refused. */
extern struct text conf_why;
/* conf_load: a file's text.  conf_set: CONFIG SET of words separated by '|' ('' is the empty one).
 * 0 or -errno */
int conf_load(const char *text);
int conf_set(const char *words);
/* conf_get: CONFIG GET as name=value;name=value, good until the next call. */
const char *conf_get(const char *pattern);

#endif
