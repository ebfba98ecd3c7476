/* snapshot/writer.c - from queued chunks to a durable file.  The contract is in writer.h. */
#include "snapshot/writer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mm/base/must.h"
#include "mm/base/os.h"
#include "snapshot/verify.h"

static void
describe(struct job *j, int error, const struct sink *out)
{
    j->error = error;
    if (error == -ECANCELED)
        snprintf(j->text, sizeof j->text, "cancelled");
    else if (error == -EBADMSG && j->sweep_error == 0)
        snprintf(j->text, sizeof j->text,
                 "the sweep found %llu keys where the cut had %llu; the dump was dropped",
                 (unsigned long long)j->progress.keys, (unsigned long long)j->rq.keys_total);
    else if (out == NULL && j->rq.open != NULL)
        snprintf(j->text, sizeof j->text, "open of %.120s: %s", j->path, strerror(-error));
    else if (out == NULL)
        snprintf(j->text, sizeof j->text, "open of a temporary file beside %.120s: %s", j->path,
                 strerror(-error));
    else if (sink_error(out) < 0)
        snprintf(j->text, sizeof j->text, "%s of %.120s: %.100s",
                 out->failed_step != NULL ? out->failed_step : "write", j->path,
                 out->failed_why[0] != '\0' ? out->failed_why : strerror(-error));
    else if (mm_cut_is_broken())
        snprintf(j->text, sizeof j->text,
                 "no memory for the copy of a page that a client was changing");
    else
        snprintf(j->text, sizeof j->text, "%.200s", strerror(-error));
}

/* verify: sink_file_options.verify, of a job. */
static int
verify(void *ctx, const char *temp_path, char *why, size_t why_bytes)
{
    struct job *j = ctx;
    int64_t begin_us = os_monotonic_us();
    struct verify_options o = {.path = temp_path,
                               .keys = j->progress.keys - j->progress.left_out,
                               .checksum = j->rq.checksum,
                               .keeps_cache = j->rq.keeps_cache,
                               .cancel = &j->cancel};
    int r;

    atomic_store_explicit(&j->verifying, true, memory_order_relaxed);
    r = verify_dump(&o, why, why_bytes);
    atomic_store_explicit(&j->verifying, false, memory_order_relaxed);
    j->verify_us = os_monotonic_us() - begin_us;
    if (r == 0)
        j->verified = SNAPSHOT_IS_GOOD;
    else if (r == -EBADMSG)
        j->verified = SNAPSHOT_IS_DAMAGED; /* else nothing is known of it */
    return r == -EBADMSG ? -EIO : r;
}

static int
open_sink(struct job *j, struct sink **ret)
{
    struct sink_file_options file = {.path = j->file,
                                     .writeout_bytes = j->rq.writeout_bytes,
                                     .keeps_cache = j->rq.keeps_cache,
                                     .expected_bytes = j->rq.expected_bytes,
                                     .verify = j->rq.verify ? verify : NULL,
                                     .verify_ctx = j,
                                     .sets_aside = os_name() != NULL,
                                     .retain = j->rq.retain,
                                     .retained = &j->retained};

    return j->rq.open != NULL ? j->rq.open(j->rq.open_ctx, ret) : sink_file_open(&file, ret);
}

static bool
is_cancelled(const struct job *j)
{
    return atomic_load_explicit(&j->cancel, memory_order_acquire);
}

/* outcome: all lanes are closed: what became of the sweep, and of the writing. */
static int
outcome(struct job *j, int written, const struct sink *out)
{
    if (out == NULL)
        return written;
    if (sink_error(out) < 0)
        return sink_error(out);
    if (j->sweep_error < 0)
        return j->sweep_error;
    return written < 0 ? written : sweep_check(&j->rq, &j->progress);
}

void
writer_run(struct job *j, struct joiner *joiner, const _Atomic uint64_t *rate)
{
    struct sink *out = NULL;
    int r = open_sink(j, &out), written;

    if (r < 0) {
        out = NULL;
        joiner_fail(joiner, r);
        atomic_store_explicit(&j->failed, true, memory_order_relaxed);
    } else {
        out->cancel = &j->cancel;
    }
    written = joiner_write(joiner, out, rate, &j->cancel, &j->file_bytes);
    if ((r = outcome(j, r < 0 ? r : written, out)) == 0 && (r = joiner_finish(joiner, out)) == 0)
        r = is_cancelled(j) ? -ECANCELED : sink_commit(out);
    if (r < 0)
        describe(j, r, out);
    joiner_end(joiner);
    if (out != NULL) {
        atomic_store_explicit(&j->file_bytes, out->put_bytes, memory_order_relaxed);
        sink_close(out);
    }
    j->done_us = os_monotonic_us();
    job_post_phase(j, JOB_DONE);
}
