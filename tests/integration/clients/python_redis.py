"""python3-redis as a program uses it.  python_redis.py PORT SOCKET; prints ok."""
import sys
import time

import redis

port, path = int(sys.argv[1]), sys.argv[2]
r = redis.Redis(port=port, decode_responses=True)
assert r.ping()
assert r.set("a", "ü€", ex=100) and r.get("a") == "ü€" and 90 < r.ttl("a") <= 100
assert redis.Redis(unix_socket_path=path).get("a") == "ü€".encode()

# Sessions that expire.
r.hset("session:1", mapping={"user": "ann", "seen": 1})
r.pexpire("session:1", 30)
assert r.hgetall("session:1") == {"user": "ann", "seen": "1"}
deadline = time.monotonic() + 5
while r.exists("session:1"):
    assert time.monotonic() < deadline
    time.sleep(0.005)

# A pipeline, and a transaction that somebody else breaks once.
with r.pipeline(transaction=False) as p:
    for i in range(5000):
        p.set("key:%d" % i, i)
    assert all(p.execute())
# A pipeline that is written as a whole before the first reply is read: more than sockets hold.
u = redis.Redis(unix_socket_path=path, socket_timeout=60)
u.set("kilobyte", "x" * 1024)
with u.pipeline(transaction=False) as p:
    for _ in range(60000):
        p.get("kilobyte")
    assert p.execute() == [b"x" * 1024] * 60000
attempts = []


def raise_balance(p):
    attempts.append(1)
    now = int(p.get("balance") or 0)
    if len(attempts) == 1:
        r.set("balance", 100)
    p.multi()
    p.set("balance", now + 1)


r.transaction(raise_balance, "balance")
assert r.get("balance") == "101" and len(attempts) == 2

assert len(list(r.scan_iter(match="key:*", count=500))) == 5000
assert r.dbsize() > 5000 and r.info("server")["redis_version"].startswith("7.")
try:
    r.hget("a", "f")
    raise AssertionError("a string is no hash")
except redis.ResponseError as error:
    assert "WRONGTYPE" in str(error)

p = r.pubsub()
p.subscribe("news")
p.psubscribe("n*")
assert p.get_message(timeout=5)["type"] == "subscribe"
assert p.get_message(timeout=5)["type"] == "psubscribe"
assert r.publish("news", "hello") == 2
assert sorted(p.get_message(timeout=5)["type"] for _ in range(2)) == ["message", "pmessage"]
p.close()

assert r.config_get("maxmemory") == {"maxmemory": "0"} and r.config_set("maxmemory-samples", 7)
with r.monitor() as m:
    r.set("seen", "by monitor")
    while m.next_command()["command"] != "SET seen by monitor":
        pass
assert r.client_setname("me") and r.client_getname() == "me" and r.client_list()
assert r.slowlog_len() >= 0 and r.memory_usage("a") > 0 and r.object("encoding", "a") == "embstr"
assert r.restore("b", 0, redis.Redis(port=port).dump("a")) and r.get("b") == "ü€"

# The server closes the connection; the library opens another one.
me = r.client_id()
redis.Redis(port=port).client_kill_filter(_id=me)
assert r.get("a") == "ü€"
print("ok")
