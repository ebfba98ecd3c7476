"""Celery (python3-celery) with its broker and results here, with a crash in the middle.

celery_tasks.py PORT (programs.py).  Workers are programs of their own that import this file; what
has run is counted in a file, by what the tasks were given.
"""
import collections
import os
import subprocess
import sys
import time

import celery
import redis
from celery.result import AsyncResult, GroupResult

from crash import crash, until

HERE = os.path.dirname(os.path.abspath(__file__))
port = int(os.environ.get("PROGRAM_PORT") or sys.argv[1])
app = celery.Celery("celery_tasks", broker="redis://127.0.0.1:%d/0" % port, backend="redis://127.0.0.1:%d/1" % port)
app.conf.update(broker_transport_options={"visibility_timeout": 3600}, worker_prefetch_multiplier=1)


def count(what):
    with open("ran", "a", encoding="utf-8") as f:
        f.write(what + "\n")


def ran():
    with open("ran", encoding="utf-8") as f:
        return collections.Counter(f.read().split("\n")[:-1])


@app.task(name="programs.add")
def add(x, y):
    count("%d + %d" % (x, y))
    return x + y


@app.task(name="programs.total")
def total(numbers):
    return sum(numbers)


@app.task(name="programs.held")
def held(n):
    count("begun %d" % n)
    while not os.path.exists("released"):
        time.sleep(0.01)
    count("held %d" % n)
    return n


@app.task(name="programs.at")
def at(due):
    count("at")
    return time.time() >= due


@app.task(name="programs.fails", bind=True, max_retries=3)
def fails(self, times):
    count("fails %d" % times)
    if self.request.retries < times:
        raise self.retry(exc=ValueError("failure of %d" % times), countdown=0.05)
    return "well"


def worker(queue):
    return subprocess.Popen([sys.executable, "-B", "-m", "celery", "-A", "celery_tasks", "worker", "-P", "threads", "-c", "4",
                             "-Q", queue, "-l", "WARNING", "--without-gossip", "--without-mingle", "-n", queue],
                            env={**os.environ, "PROGRAM_PORT": str(port), "PYTHONPATH": HERE}, stdin=subprocess.DEVNULL, stdout=sys.stderr)


def value(result):
    """Wait for a result, without the subscription that a crash ends for good."""
    return until("the result of %s" % result.id, lambda: result.ready() and [result.get(timeout=30, propagate=False)])[0]


def before():
    assert [r.get(timeout=60) for r in [add.delay(n, n) for n in range(100)]] == [2 * n for n in range(100)]
    assert celery.chain(add.s(1, 2), add.s(1004), add.s(8))().get(timeout=60) == 1015
    assert celery.group(add.s(n, 1000) for n in range(20))().get(timeout=60) == [n + 1000 for n in range(20)]
    assert celery.chord((add.s(n, 2000) for n in range(10)), total.s())().get(timeout=60) == 45 + 20000
    assert fails.delay(2).get(timeout=60) == "well" and ran()["fails 2"] == 3
    hopeless = fails.delay(9)
    assert str(value(hopeless)) == "failure of 9" and hopeless.state == "FAILURE" and ran()["fails 9"] == 4


def main():
    before()
    # What waits: results that nobody has asked for, a queue of nobody, tasks in hand.
    group = celery.group(add.s(n, 3000) for n in range(5))()
    group.save()
    single = add.delay(4000, 1)
    for result in (*group.results, single):
        value(result)
    idle = [add.apply_async((n, 5000), queue="idle") for n in range(20)]
    in_hand = [held.delay(n) for n in range(2)]
    until("tasks in hand", lambda: ran()["begun 0"] and ran()["begun 1"])
    timed = at.apply_async((time.time() + 1.5,), countdown=1.5, queue="idle")
    until("acknowledgements", lambda: not broker.hlen("unacked") and not broker.llen("celery"))
    crash()

    assert broker.llen("idle") == 21
    assert value(AsyncResult(single.id)) == 4001 and 80000 < results.ttl("celery-task-meta-" + single.id) <= 86400
    assert [value(result) for result in GroupResult.restore(group.id)] == [3000 + n for n in range(5)]
    with open("released", "wb"):
        pass
    assert [value(result) for result in in_hand] == [0, 1]
    assert [value(add.delay(n, 6000)) for n in range(5)] == [6000 + n for n in range(5)]
    workers.append(worker("idle"))
    assert [value(result) for result in (timed, *idle)] == [True] + [5000 + n for n in range(20)]
    assert value(celery.chord((add.s(n, 7000) for n in range(10)), total.s())()) == 45 + 70000
    assert {what: n for what, n in ran().items() if n != 1 and not what.startswith("fails")} == {}


if __name__ == "__main__":
    os.environ["PROGRAM_PORT"] = str(port)
    broker, results = redis.Redis(port=port, db=0), redis.Redis(port=port, db=1)
    workers = [worker("celery")]
    main()
    for w in workers:
        w.kill()
    print("ok")
