"""Programs as users write them, on python3-redis: sessions, a work queue, a leaderboard, a stream
with consumer groups.

  users.py PORT run     all of them, until the server is gone; prints ok
  users.py PORT check   what must be true of the data at any instant; then the work that is left is
                        done; prints ok

What must be true at every instant, since each step is one command or one transaction:
  - a session has both its fields and a time to live
  - a job is in the queue, in one worker's list, or done: jobs:made of them in all, none twice
  - a player's score is what his points say
  - an event is not yet delivered, pending, or done: events:made of them in all, none twice
"""
import os
import random
import sys
import threading
import time

import redis

PORT, MODE = int(sys.argv[1]), sys.argv[2]
GONE = (redis.exceptions.ConnectionError, redis.exceptions.BusyLoadingError, redis.exceptions.TimeoutError)
failures = []
finished = threading.Event()


def connect():
    return redis.Redis(port=PORT, decode_responses=True, socket_timeout=60)


def prepare(r):
    try:
        r.xgroup_create("events", "readers", id="0", mkstream=True)
    except redis.exceptions.ResponseError as e:
        assert str(e).startswith("BUSYGROUP"), e


# -- sessions

def sessions(r, rnd):
    name = "session:%d" % rnd.randrange(200)
    if rnd.random() < 0.5:
        with r.pipeline(transaction=True) as p:
            p.hset(name, mapping={"user": "user-%d" % rnd.randrange(1000), "seen": rnd.randrange(1000)})
            p.pexpire(name, rnd.choice([20, 100, 100000]))
            p.execute()
    elif rnd.random() < 0.2:
        r.delete(name)
    else:
        check_session(r.hgetall(name))


def check_session(found):
    assert set(found) in ({"user", "seen"}, set()), found


def check_sessions(r):
    names = list(r.scan_iter("session:*", count=100))
    for name in names:
        check_session(r.hgetall(name))
        left = r.pttl(name)
        assert left >= 0 or left == -2, (name, left)


# -- a work queue

def produce(r, rnd):
    with r.pipeline(transaction=True) as p:
        for _ in range(rnd.choice([1, 3])):
            p.incr("jobs:made")
            p.lpush("jobs", "job-%x" % rnd.getrandbits(60))
        p.execute()


def finish_job(r, mine, job):
    with r.pipeline(transaction=True) as p:
        p.lrem(mine, 1, job)
        p.sadd("jobs:done", job)
        assert p.execute() == [1, 1], job


class Worker:
    """Takes jobs by BLMOVE; now and then it dies with a job in its hands, and a new one with
    another name takes over."""

    def __init__(self, rnd):
        self.be_born(rnd)

    def be_born(self, rnd):
        self.r, self.list = connect(), "working:%x" % rnd.getrandbits(40)

    def work(self, _r, rnd):
        job = self.r.blmove("jobs", self.list, 0.05, "RIGHT", "LEFT")
        if job is None:
            return
        if rnd.random() < 0.05:
            self.r.sadd("workers:dead", self.list)
            self.r.connection_pool.disconnect()
            self.be_born(rnd)
        else:
            finish_job(self.r, self.list, job)


def reap(r, _rnd):
    """The jobs of dead workers go back to the queue."""
    name = r.spop("workers:dead")
    while name and r.lmove(name, "jobs", "RIGHT", "RIGHT") is not None:
        pass


def die_while_waiting(_r, rnd):
    """A client that is gone while it waits must not swallow a job."""
    gone = connect()
    gone.client_setname("gone")
    connection = gone.connection_pool.get_connection("BLPOP")
    connection.send_command("BLMOVE", "jobs", "working:%x" % rnd.getrandbits(40), "RIGHT", "LEFT", 1)
    time.sleep(rnd.random() / 500)
    connection.disconnect()
    gone.connection_pool.disconnect()


def job_counts(r):
    with r.pipeline(transaction=True) as p:
        p.get("jobs:made").lrange("jobs", 0, -1).smembers("jobs:done")
        for name in list(r.scan_iter("working:*", count=1000)):
            p.lrange(name, 0, -1)
        made, waiting, done, *working = p.execute()
    return int(made or 0), waiting + list(done) + [job for jobs in working for job in jobs]


def check_jobs(r):
    made, jobs = job_counts(r)
    assert len(jobs) == made and len(set(jobs)) == made, (made, len(jobs), len(set(jobs)))


def finish_jobs(r):
    for name in list(r.scan_iter("working:*", count=1000)):
        while r.lmove(name, "jobs", "RIGHT", "RIGHT") is not None:
            pass
    while True:
        job = r.blpop("jobs", timeout=0.01)
        if job is None:
            break
        assert r.sadd("jobs:done", job[1]) == 1, job
    assert r.scard("jobs:done") == int(r.get("jobs:made") or 0)
    assert r.exists("jobs") == 0


# -- a leaderboard

def score(r, rnd):
    player, points = "player-%d" % rnd.randrange(300), rnd.choice([1, 5, 0.5, -2])
    with r.pipeline(transaction=True) as p:
        p.zincrby("board", points, player)
        p.hincrby("points", player, int(points * 2))
        p.zrevrank("board", player)
        p.zrevrange("board", 0, 9, withscores=True)
        value, half, rank, top = p.execute()
    assert value * 2 == half, (player, value, half)
    assert [s for _, s in top] == sorted((s for _, s in top), reverse=True), top
    assert rank >= 10 or top[rank] == (player, value), (rank, top)


def check_board(r):
    board = r.zrange("board", 0, -1, withscores=True)
    assert {p: str(int(s * 2)) for p, s in board} == r.hgetall("points")
    assert board == sorted(board, key=lambda x: (x[1], x[0]))
    assert r.zcard("board") == len(board)
    for i in range(0, len(board), 17):
        player, value = board[i]
        assert r.zrank("board", player) == i and r.zscore("board", player) == value
        assert r.zcount("board", value, "+inf") == sum(s >= value for _, s in board)


# -- a stream with a consumer group

def add_events(r, rnd):
    with r.pipeline(transaction=True) as p:
        for _ in range(rnd.choice([1, 4])):
            p.incr("events:made")
            p.xadd("events", {"kind": rnd.choice(["a", "b"]), "n": rnd.randrange(10 ** 6)})
        p.execute()


def finish_event(r, event, fields):
    assert set(fields) == {"kind", "n"}, fields
    with r.pipeline(transaction=True) as p:
        p.xack("events", "readers", event)
        p.sadd("events:done", event)
        acked, added = p.execute()
    assert acked == added, (event, acked, added)  # claimed meanwhile and done: both 0


class Consumer:
    """Reads new events, forgets some of them, claims what others have forgotten."""

    def __init__(self, name):
        self.name = name

    def read(self, r, rnd):
        if rnd.random() < 0.2:
            reply = r.xautoclaim("events", "readers", self.name, 30, "0-0", count=5)
            for event, fields in reply[1]:
                finish_event(r, event, fields)
            return
        reply = r.xreadgroup("readers", self.name, {"events": ">"}, count=rnd.choice([1, 10]), block=20)
        for _, events in reply:
            for event, fields in events:
                if rnd.random() > 0.1:
                    finish_event(r, event, fields)


def check_events(r):
    with r.pipeline(transaction=True) as p:
        p.get("events:made").xlen("events").scard("events:done").xpending("events", "readers").xinfo_groups("events")
        p.xpending_range("events", "readers", "-", "+", 10 ** 6)
        made, length, done, pending, groups, entries = p.execute()
    made = int(made or 0)
    waiting = made - groups[0]["entries-read"] if groups[0].get("entries-read") else made - done - pending["pending"]
    assert length == made and done + pending["pending"] + waiting == made, (made, length, done, pending, groups)
    assert len(entries) == pending["pending"] == sum(c["pending"] for c in pending["consumers"])
    assert groups[0].get("lag", waiting) == waiting, groups


def finish_events(r):
    while True:
        reply = r.xreadgroup("readers", "last", {"events": ">"}, count=100)
        if not reply:
            break
        for event, fields in reply[0][1]:
            finish_event(r, event, fields)
    while r.xpending("events", "readers")["pending"]:
        for event, fields in r.xautoclaim("events", "readers", "last", 0, "0-0", count=100)[1]:
            finish_event(r, event, fields)
    assert r.scard("events:done") == int(r.get("events:made") or 0) == r.xlen("events")


# -- all of them

def repeat(step, seed):
    """A user: one step after the other until the server is gone."""
    rnd = random.Random(seed)
    try:
        r = connect()
        while not finished.is_set():
            step(r, rnd)
    except GONE:
        pass
    except Exception as e:  # noqa: BLE001 - reported below
        failures.append("%s: %s: %s" % (getattr(step, "__name__", step), type(e).__name__, e))
        finished.set()


def run():
    prepare(connect())
    rnd = random.Random(int.from_bytes(os.urandom(4), "big"))
    workers = [Worker(rnd) for _ in range(2)]
    steps = [sessions, produce, workers[0].work, workers[1].work, reap, die_while_waiting, score, add_events,
             Consumer("ann").read, Consumer("bob").read]
    threads = [threading.Thread(target=repeat, args=(s, rnd.random()), daemon=True) for s in steps]
    for t in threads:
        t.start()
    for t in threads:
        t.join(120)
    assert not failures, failures
    assert not any(t.is_alive() for t in threads)


def check():
    r = connect()
    for f in (check_sessions, check_jobs, check_board, check_events, finish_jobs, finish_events):
        f(r)
    check_jobs(r)
    check_events(r)


{"run": run, "check": check}[MODE]()
print("ok")
