/* server/process/identity.h - which run of the server this is.
 * Threads: mutator; const after identity_init() but for run_id. */
#ifndef SERVER_PROCESS_IDENTITY_H
#define SERVER_PROCESS_IDENTITY_H

#include <stdint.h>

struct identity {
    int64_t start_ms;       /* unix */
    char run_id[41];        /* forty hexadecimal digits that no other run has */
    const char *executable; /* argv[0] */
};
extern struct identity identity;

/* identity_init: and the clock for the first time. */
void identity_init(const char *executable);
/* identity_draw: forty other digits, which nobody foresees. */
void identity_draw(char ret[41]);
/* identity_renew: another run id: DEBUG CHANGE-REPL-ID. */
void identity_renew(void);

#endif
