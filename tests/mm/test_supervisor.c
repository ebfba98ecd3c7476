/* tests/mm/test_supervisor.c - a service manager: where it listens, what it hears, and that one who
 * is not there, or not any more, keeps nobody from anything. */
#include "mm/base/supervisor.h"

#include <check.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/runner.h"

static char folder[] = "/tmp/supervisor.XXXXXX", path[64], heard[1024];
static int manager = -1;

/* listen_at: a name as the environment has it. */
static void
listen_at(const char *name)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    size_t len = strlen(name);

    memcpy(at.sun_path, name, len);
    if (name[0] == '@')
        at.sun_path[0] = '\0';
    ck_assert_int_ge(manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), 0);
    ck_assert_int_eq(bind(manager, (const struct sockaddr *)&at,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
                     0);
    setenv("NOTIFY_SOCKET", name, 1);
}

static const char *
hear(void)
{
    ssize_t n = recv(manager, heard, sizeof heard - 1, 0);

    ck_assert_int_ge(n, 0);
    heard[n] = '\0';
    return heard;
}

static void
setup(void)
{
    strcpy(folder + sizeof folder - 7, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/notify", folder);
    unsetenv("NOTIFY_SOCKET");
}

static void
teardown(void)
{
    if (manager >= 0)
        close(manager);
    manager = -1;
    unlink(path);
    rmdir(folder);
}

static void
tell_all(void)
{
    supervisor_ready();
    supervisor_status("Loading the dump: 40 %");
    supervisor_busy("Saving");
    supervisor_stopping();
}

START_TEST(where_the_environment_names_none_nothing_is_told)
{
    ck_assert_int_eq(supervisor_open(), 0);
    ck_assert(!supervisor_is_there());
    tell_all();
}
END_TEST

START_TEST(a_name_that_is_no_address_is_an_error)
{
    char longest[200];

    memset(longest, 'x', sizeof longest - 1);
    longest[0] = '/';
    longest[sizeof longest - 1] = '\0';
    for (int i = 0; i < 5; i++) {
        setenv("NOTIFY_SOCKET", ((const char *[]){"", "/", "@", "vsock:2:1", longest})[i], 1);
        ck_assert_int_eq(supervisor_open(), -EINVAL);
        ck_assert(!supervisor_is_there());
    }
}
END_TEST

START_TEST(a_manager_that_cannot_be_reached_is_an_error)
{
    struct rlimit before, none;

    setenv("NOTIFY_SOCKET", path, 1);
    ck_assert_int_eq(supervisor_open(), -ENOENT);
    ck_assert(!supervisor_is_there());
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    ck_assert_int_eq(supervisor_open(), -EMFILE);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert(!supervisor_is_there());
    tell_all();
}
END_TEST

/* A path, and a name that is not of the file system. */
START_TEST(a_manager_hears_what_is_told)
{
    char name[64], text[600], want[500];

    snprintf(name, sizeof name, "@stillframe-test-%d", (int)getpid());
    listen_at(_i == 0 ? path : name);
    ck_assert_int_eq(supervisor_open(), 1);
    ck_assert(supervisor_is_there());
    supervisor_ready();
    ck_assert_str_eq(hear(), "READY=1\nSTATUS=Ready to accept connections\n");
    supervisor_status("Loading the dump: 40 %");
    ck_assert_str_eq(hear(), "STATUS=Loading the dump: 40 %\n");
    supervisor_busy("Saving");
    ck_assert_str_eq(hear(), "EXTEND_TIMEOUT_USEC=60000000\nSTATUS=Saving\n");
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    supervisor_status(text);
    snprintf(want, sizeof want, "STATUS=%.400s\n", text);
    ck_assert_str_eq(hear(), want);
    supervisor_stopping();
    ck_assert_str_eq(hear(), "STOPPING=1\n");
    close(manager); /* it has gone: no signal, no wait */
    manager = -1;
    tell_all();
    ck_assert(supervisor_is_there());
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("mm/supervisor");
    TCase *t = tcase_create("supervisor");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, where_the_environment_names_none_nothing_is_told);
    tcase_add_test(t, a_name_that_is_no_address_is_an_error);
    tcase_add_test(t, a_manager_that_cannot_be_reached_is_an_error);
    tcase_add_loop_test(t, a_manager_hears_what_is_told, 0, 2);
    suite_add_tcase(s, t);
    return run_suite(s);
}
