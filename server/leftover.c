/* server/leftover.c - temporary files of saves that were never finished. */
#include "server/leftover.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "server/log.h"
#include "server/num.h"

/* The process whose save would have this name; 0: no save has. */
static int64_t
owner_of(const char *name)
{
    static const char prefix[] = "temp-", suffix[] = ".rdb";
    size_t len = strlen(name), fixed = sizeof prefix - 1 + sizeof suffix - 1;
    int64_t pid;

    if (len <= fixed || strncmp(name, prefix, sizeof prefix - 1) != 0 ||
        strcmp(name + len - (sizeof suffix - 1), suffix) != 0 ||
        !num_parse(name + sizeof prefix - 1, len - fixed, &pid) || pid <= 0 || pid > INT32_MAX)
        return 0;
    return pid;
}

static bool
is_abandoned(int64_t pid)
{
    return pid == getpid() || (kill((pid_t)pid, 0) < 0 && errno == ESRCH);
}

void
leftover_remove(void)
{
    DIR *dir = opendir(".");
    struct dirent *entry;

    if (dir == NULL)
        return;
    while ((entry = readdir(dir)) != NULL) {
        int64_t pid = owner_of(entry->d_name);
        if (pid == 0 || !is_abandoned(pid))
            continue;
        if (unlink(entry->d_name) == 0)
            log_line(LOG_NOTICE, "Removed %s, which a save that was never finished had left.", entry->d_name);
        else
            log_line(LOG_WARNING, "Cannot remove %s, which a save that was never finished had left: %s",
                     entry->d_name, strerror(errno));
    }
    closedir(dir);
}
