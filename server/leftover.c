/* server/leftover.c - temporary files that never got a name. */
#include "server/leftover.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "mm/base/log.h"
#include "mm/base/os.h"
#include "server/config/config.h"
#include "snapshot/rdb/temp_file.h"

static const char *const makers[TEMP_NONE] = {
    [TEMP_DUMP] = "a save",
    [TEMP_CONF] = "a CONFIG REWRITE or ACL SAVE",
};

/* remove_one: was it ours, and is it gone? */
static bool
remove_one(const char *path, enum temp_kind kind)
{
    int r = temp_file_remove(path);

    if (r > 0)
        log_line(LOG_NOTICE, "Removed %s, which %s that was never finished had left.", path,
                 makers[kind]);
    else if (r < 0)
        log_line(LOG_WARNING, "Cannot remove %s, which %s that was never finished had left: %s",
                 path, makers[kind], strerror(-r));
    return r > 0;
}

/* remove_in: dir is "", the working directory, or ends with a slash: of the configuration alone. */
static void
remove_in(const char *dir)
{
    DIR *list = opendir(dir[0] != '\0' ? dir : ".");
    struct dirent *entry;
    char path[PATH_MAX];
    bool is_any = false;

    if (list == NULL)
        return;
    while ((entry = readdir(list)) != NULL) {
        enum temp_kind kind = temp_file_kind(entry->d_name);
        bool is_wanted = kind == TEMP_CONF || (kind == TEMP_DUMP && dir[0] == '\0');
        if (is_wanted && snprintf(path, sizeof path, "%s%s", dir, entry->d_name) < PATH_MAX)
            is_any |= remove_one(path, kind);
    }
    closedir(list);
    if (is_any && os_name() != NULL) /* OSv writes it with the next fsync, which may never come */
        (void)os_sync_dir(dir[0] != '\0' ? dir : ".");
}

/* remove_beside: a file of the configuration that stands elsewhere. */
static void
remove_beside(const char *path)
{
    const char *slash = strrchr(path, '/');
    char dir[PATH_MAX];

    if (slash == NULL || slash - path >= PATH_MAX - 1)
        return; /* there is none, or it is in the working directory */
    snprintf(dir, sizeof dir, "%.*s", (int)(slash - path) + 1, path);
    remove_in(dir);
}

void
leftover_remove(void)
{
    remove_in("");
    remove_beside(config_file());
    remove_beside(config.aclfile);
}
