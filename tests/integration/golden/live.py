"""What a live server answers about its data, and how data gets into it."""
import os
import shutil
import subprocess

import resp


def load(server, path):
    """The file, as at a start."""
    shutil.copyfile(path, os.path.join(server.dir, "dump.rdb"))
    with server.client() as c:
        if c.call("DEBUG", "RELOAD", "NOSAVE") != b"OK":
            raise AssertionError(path)


def empty(server):
    with server.client() as c:
        c.call("FLUSHALL")
        try:
            c.call("FUNCTION", "FLUSH")
        except resp.RespError:
            pass  # it has none


def pipe(server, commands):
    """Through redis-cli --pipe: how many replies, and the errors' text."""
    p = subprocess.run(["redis-cli", "-p", str(server.port), "--pipe"], input=commands, capture_output=True, timeout=120)
    last = p.stdout.split(b"\n")[-2]
    errors, replies = (int(part.split(b":")[1]) for part in last.split(b","))
    return errors, replies, p.stderr.decode()


def commands(data):
    """RESP taken apart: each command a list of words."""
    at, found = 0, []

    def number(mark):
        nonlocal at
        end = data.index(b"\r\n", at)
        if data[at:at + 1] != mark:
            raise ValueError(data[at:end])
        n, at = int(data[at + 1:end]), end + 2
        return n

    def word():
        nonlocal at
        n = number(b"$")
        at += n + 2
        if data[at - 2:at] != b"\r\n":
            raise ValueError(data[at - 2:at])
        return data[at - 2 - n:at - 2]

    while at < len(data):
        found.append([word() for _ in range(number(b"*"))])
    return found


def digest(server):
    with server.client() as c:
        return c.call("DEBUG", "DIGEST")


def pairs(flat):
    return list(zip(flat[::2], flat[1::2]))


def stream_id(text):
    return tuple(map(int, text.split(b"-")))


def _group(told):
    consumers = {}
    for consumer in map(dict, map(pairs, told[b"consumers"])):
        pending = consumer.get(b"pending", consumer.get(b"pel"))
        consumers[consumer[b"name"]] = {stream_id(i): (at, n) for i, at, n in pending}
    return stream_id(told[b"last-delivered-id"]), told[b"entries-read"], consumers


def _stream(told):
    told = dict(pairs(told))
    groups = {dict(pairs(g))[b"name"]: _group(dict(pairs(g))) for g in told[b"groups"]}
    return {"entries": {stream_id(i): pairs(fields) for i, fields in told[b"entries"]}, "last": stream_id(told[b"last-generated-id"]),
            "deleted": stream_id(told[b"max-deleted-entry-id"]), "added": told[b"entries-added"], "groups": groups}


READ = {b"string": ("GET",), b"list": ("LRANGE", 0, -1), b"set": ("SMEMBERS",), b"hash": ("HGETALL",),
        b"zset": ("ZRANGE", 0, -1, "WITHSCORES"), b"stream": ("XINFO", "STREAM", "FULL", "COUNT", 0)}
MAKE = {b"string": lambda v: v, b"list": lambda v: v, b"set": set, b"hash": lambda v: dict(pairs(v)), b"stream": _stream,
        b"zset": lambda v: {m: float(s) for m, s in pairs(v)}}


def _read(kind, key):
    verb, *rest = READ[kind]
    return (verb, rest[0], key, *rest[1:]) if kind == b"stream" else (verb, key, *rest)


def state(server, databases=16):
    """(database, key) -> (type, value, when it expires)"""
    found = {}
    with server.client() as c:
        for db in range(databases):
            c.call("SELECT", db)
            keys = c.call("KEYS", "*")
            kinds = c.pipeline([("TYPE", k) for k in keys])
            values = c.pipeline([_read(kind, k) for kind, k in zip(kinds, keys)])
            times = c.pipeline([("PEXPIRETIME", k) for k in keys])
            for key, kind, value, time in zip(keys, kinds, values, times):
                found[db, key] = (kind, MAKE[kind](value), time)
    return found


def functions(server):
    with server.client() as c:
        return c.call("FUNCTION", "LIST", "WITHCODE")


def encodings(server, databases=16):
    found = {}
    with server.client() as c:
        for db in range(databases):
            c.call("SELECT", db)
            keys = c.call("KEYS", "*")
            found.update({(db, k): e for k, e in zip(keys, c.pipeline([("OBJECT", "ENCODING", k) for k in keys]))})
    return found
