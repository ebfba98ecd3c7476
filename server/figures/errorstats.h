/* server/figures/errorstats.h - how many error replies of each code (ERR, WRONGTYPE, ...) were
 * sent: INFO errorstats.
 * Threads: mutator. */
#ifndef SERVER_FIGURES_ERRORSTATS_H
#define SERVER_FIGURES_ERRORSTATS_H

struct text;

/* errorstats_count: an error reply, from its code on.  Codes beyond the first 128 are not kept
 * apart. */
void errorstats_count(const char *error);
void errorstats_reset(void);
/* errorstats_info: errorstat_CODE:count=N lines. */
void errorstats_info(struct text *out);

#endif
