/* server/leftover.c - temporary files of saves that were never finished. */
#include "server/leftover.h"

#include <dirent.h>
#include <string.h>

#include "mm/base/log.h"
#include "mm/base/os.h"
#include "snapshot/rdb/temp_file.h"

void
leftover_remove(void)
{
    DIR *dir = opendir(".");
    struct dirent *entry;
    bool is_any = false;

    if (dir == NULL)
        return;
    while ((entry = readdir(dir)) != NULL) {
        int r = temp_file_remove(entry->d_name);

        is_any |= r > 0;
        if (r > 0)
            log_line(LOG_NOTICE, "Removed %s, which a save that was never finished had left.",
                     entry->d_name);
        else if (r < 0)
            log_line(LOG_WARNING,
                     "Cannot remove %s, which a save that was never finished had left: %s",
                     entry->d_name, strerror(-r));
    }
    closedir(dir);
    if (is_any && os_name() != NULL)
        (void)os_sync_dir("."); /* OSv writes it with the next fsync, which may never come */
}
