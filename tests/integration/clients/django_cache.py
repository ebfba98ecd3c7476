"""django-redis (python3-django-redis) as a program uses it, with a crash in the middle.

django_cache.py PORT (programs.py)
"""
import sys
import threading

import django
from django.conf import settings

from crash import crash, until

LOCATION = "redis://127.0.0.1:%s/" % sys.argv[1]


def backend(database, **options):
    return {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": LOCATION + database, "TIMEOUT": 3600, "KEY_PREFIX": "site",
            "OPTIONS": {"CLIENT_CLASS": "django_redis.client.DefaultClient", **options}}


settings.configure(
    CACHES={"default": backend("0"), "sessions": backend("1"),
            "packed": backend("2", COMPRESSOR="django_redis.compressors.zlib.ZlibCompressor")},
    SESSION_ENGINE="django.contrib.sessions.backends.cache", SESSION_CACHE_ALIAS="sessions", SECRET_KEY="a secret")
django.setup()

from django.contrib.sessions.backends.cache import SessionStore  # noqa: E402
from django.core.cache import cache, caches  # noqa: E402


def fill():
    cache.set_many({"page:%d" % n: {"n": n, "text": "ü€" * n} for n in range(500)}, timeout=1000)
    assert cache.get_many(["page:%d" % n for n in range(0, 600, 100)]) == \
        {"page:%d" % n: {"n": n, "text": "ü€" * n} for n in range(0, 500, 100)}
    assert cache.add("once", 1) and not cache.add("once", 2) and cache.get("none", "other") == "other"
    cache.set("visits", 40)
    assert cache.incr("visits", 2) == 42 and cache.decr("visits") == 41
    cache.set("for ever", b"\0\r\n", timeout=None)
    assert cache.ttl("for ever") is None and cache.persist("once") and cache.ttl("once") is None
    assert cache.touch("visits", 500) and 400 < cache.ttl("visits") <= 500
    assert cache.set("nx", 1, nx=True) and not cache.set("nx", 2, nx=True)
    cache.set("next version", "old", version=1)
    assert cache.incr_version("next version") == 2 and cache.get("next version", version=2) == "old"
    caches["packed"].set("much", "x" * 100000)
    calls = []
    assert [cache.get_or_set("dear", lambda: calls.append(1) or 7) for _ in range(3)] == [7] * 3 and len(calls) == 1


def add_up(rounds, errors):
    """Read and write apart: the lock, which is a script's, keeps others away."""
    try:
        for _ in range(rounds):
            with cache.lock("sum lock", timeout=60, sleep=0.001):
                cache.set("sum", cache.get("sum", 0) + 1)
    except Exception as error:
        errors.append(error)


def count_under_lock():
    errors = []
    threads = [threading.Thread(target=add_up, args=(20, errors)) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors, errors


def look():
    """What is there after the crash, and for how long."""
    assert len(list(cache.iter_keys("page:*"))) == 500 == len(cache.keys("page:*"))
    assert cache.get("page:77") == {"n": 77, "text": "ü€" * 77} and 0 < cache.ttl("page:77") <= 1000
    assert (cache.get("visits"), cache.get("once"), cache.get("for ever"), cache.get("sum")) == (41, 1, b"\0\r\n", 80)
    assert cache.ttl("for ever") is None and 0 < cache.pttl("visits") <= 500000
    assert caches["packed"].get("much") == "x" * 100000 and cache.get("dear") == 7
    assert cache.get("next version", version=2) == "old" and cache.get("next version", version=1) is None


def main():
    fill()
    count_under_lock()
    held = cache.lock("held", timeout=3600)
    assert held.acquire(blocking=False)
    sessions = []
    for n in range(20):
        session = SessionStore()
        session["user"] = n
        session.save()
        sessions.append(session.session_key)
    gone = SessionStore(sessions.pop())
    gone.flush()
    crash()

    look()
    assert not cache.lock("held", timeout=3600).acquire(blocking=False)
    assert held.extend(100) and held.owned()
    held.release()  # a script that the server does not know any more
    count_under_lock()
    assert cache.get("sum") == 160
    assert [SessionStore(key)["user"] for key in sessions] == list(range(19))
    again = SessionStore(sessions[0])
    again["seen"] = True
    again.cycle_key()
    assert not SessionStore().exists(sessions[0]) and SessionStore(again.session_key)["seen"]
    cache.set("short", 1, timeout=0.05)
    until("its expiry", lambda: cache.get("short") is None)
    assert cache.delete_pattern("page:1*") == 111 and cache.delete_many(["page:2", "page:3"]) == 2
    assert len(cache.keys("page:*")) == 387
    cache.clear()
    assert cache.keys("*") == [] and len(caches["sessions"].keys("*")) == 19
    print("ok")


main()
