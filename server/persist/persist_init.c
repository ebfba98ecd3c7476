/* server/persist/persist_init.c - the parts of this folder, in the order in which they stand up. */
#include "mm/base/clock.h"
#include "server/persist/persist.h"
#include "server/persist/persist_impl.h"

int
persist_init(void)
{
    persist = (struct persist){
        .last_duration_s = -1, .last_duration_us = -1, .last_save_s = clock_now.ms / 1000};
    persist_set_last_ok(true);
    persist_limit_init();
    persist_count_init();
    persist_save_init();
    persist_when_init();
    return 0;
}
