"""RQ (python3-rq) as a program uses it, with a crash in the middle.  rq_jobs.py PORT (programs.py)

Jobs run in this process, so that what has run can be counted here.
"""
import datetime
import logging
import sys

import redis
from rq import Queue, Retry, SimpleWorker
from rq.command import send_shutdown_command
from rq.job import Job, JobStatus
from rq.registry import ScheduledJobRegistry, StartedJobRegistry
from rq.scheduler import RQScheduler

from crash import crash, until

ran = {}  # how often, by what it was given


def square(n):
    ran[n] = ran.get(n, 0) + 1
    return n * n


def fail_until(n, times):
    if square(n) and ran[n] < times:
        raise ValueError("failure %d" % ran[n])
    return ran[n]


def crash_within(n):
    started = StartedJobRegistry("default", connection=r).get_job_ids()
    crash()
    # The server has the job as one that runs; its end is told to the new one.
    assert StartedJobRegistry("default", connection=r).get_job_ids() == started and len(started) == 1
    return square(n)


def stop_waiting():
    send_shutdown_command(r, "waiting")


def work(*queues, **options):
    SimpleWorker(queues, connection=r).work(burst=True, logging_level="CRITICAL", **options)


def move_scheduled(*queues):
    scheduler = RQScheduler(queues, connection=r, logging_level=logging.CRITICAL)
    assert scheduler.acquire_locks() == {q.name for q in queues}
    scheduler.enqueue_scheduled_jobs()
    scheduler.release_locks()


def status(job):
    return Job.fetch(job.id, connection=r).get_status()


def fill(q):
    """Jobs of every kind; some have run."""
    jobs = [q.enqueue(square, n, result_ttl=600, meta={"n": n}) for n in range(50)]
    many = q.enqueue_many([Queue.prepare_data(square, (n,)) for n in range(50, 100)])
    fails = q.enqueue(fail_until, 100, 9)
    again = q.enqueue(fail_until, 101, 3, retry=Retry(max=2))
    work(q)
    assert [Job.fetch(job.id, connection=r).result for job in jobs + many] == [n * n for n in range(100)]
    assert all(ran[n] == 1 for n in range(100))
    assert (status(again), Job.fetch(again.id, connection=r).result) == (JobStatus.FINISHED, 3)
    assert status(fails) == JobStatus.FAILED and q.failed_job_registry.get_job_ids() == [fails.id]
    assert "ValueError: failure 1" in Job.fetch(fails.id, connection=r).exc_info
    return fails


def main():
    low, q = Queue("low", connection=r), Queue(connection=r)
    fails = fill(q)

    # What waits: for its time, for another job, behind another queue, for a retry with a pause.
    soon = q.enqueue_in(datetime.timedelta(seconds=1), square, 200)
    late = q.enqueue_at(datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1), square, 201)
    paused = q.enqueue(fail_until, 202, 2, retry=Retry(max=1, interval=1))
    work(q)
    assert status(paused) == JobStatus.SCHEDULED
    held = q.enqueue(crash_within, 203)
    after = q.enqueue(square, 204, depends_on=held)
    behind = [low.enqueue(square, n) for n in range(205, 225)]
    first = q.enqueue(square, 225, at_front=True)
    work(q, max_jobs=2)  # the one at the front, and the one with the crash
    assert [status(job) for job in (first, held, after, soon)] == ["finished", "finished", "queued", "scheduled"]
    assert ran[203] == 1 and 204 not in ran

    work(q, low)
    assert all(ran[n] == 1 for n in range(203, 226)) and all(status(job) == JobStatus.FINISHED for job in behind)
    assert after.result == 204 * 204 and status(late) == JobStatus.SCHEDULED
    until("the scheduled jobs", lambda: (move_scheduled(q), work(q), 200 in ran and ran[202] == 2)[-1])
    assert ran[200] == 1 and 201 not in ran
    assert ScheduledJobRegistry(queue=q).get_job_ids() == [late.id]
    assert q.failed_job_registry.requeue(fails.id).get_status() == JobStatus.QUEUED
    work(q)
    assert "failure 2" in Job.fetch(fails.id, connection=r).exc_info
    late.cancel()
    assert late.id in q.canceled_job_registry.get_job_ids()

    # A worker that waits, and is told to stop by publish/subscribe.
    waiting = SimpleWorker([q], connection=r, name="waiting")
    q.enqueue(stop_waiting)
    waiting.work(logging_level="CRITICAL")
    for queue in (q, low):
        queue.delete(delete_jobs=True)
    assert Queue.all(connection=r) == [] and all(n == 1 for key, n in ran.items() if key not in (100, 101, 202))


if __name__ == "__main__":
    sys.modules["rq_jobs"] = sys.modules["__main__"]  # jobs are found by their module's name
    for function in (square, fail_until, crash_within, stop_waiting):
        function.__module__ = "rq_jobs"
    r = redis.Redis(port=int(sys.argv[1]))
    main()
    print("ok")
