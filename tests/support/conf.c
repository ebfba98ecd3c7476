/* tests/support/conf.c - the configuration alone, for its tests. */
#include "tests/support/conf.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "server/config/config.h"

struct text conf_why;

void
conf_open(void)
{
    ck_assert_int_eq(config_init(), 0);
    conf_why = (struct text){0};
}

void
conf_close(void)
{
    text_free(&conf_why);
    config_fini();
}

static void
keep_value(void *ctx, const char *name, struct slice value)
{
    struct text *t = ctx;

    text_addf(t, "%s%s=", t->len > 0 ? ";" : "", name);
    text_add_bytes(t, value.ptr, value.len);
}

const char *
conf_get(const char *pattern)
{
    static struct text t;
    struct slice p = {pattern, strlen(pattern)};

    text_free(&t);
    config_each_match(&p, 1, keep_value, &t);
    return text_str(&t);
}

int
conf_load(const char *text)
{
    text_free(&conf_why);
    return config_load_text("test.conf", text, strlen(text), &conf_why);
}

int
conf_set(const char *words)
{
    char copy[512], *save = NULL;
    struct slice pairs[32];
    int n = 0;

    snprintf(copy, sizeof copy, "%s", words);
    for (char *w = strtok_r(copy, "|", &save); w != NULL; w = strtok_r(NULL, "|", &save)) {
        if (strcmp(w, "''") == 0)
            w[0] = '\0';
        pairs[n++] = (struct slice){w, strlen(w)};
    }
    text_free(&conf_why);
    return config_set(pairs, n / 2, false, &conf_why);
}
