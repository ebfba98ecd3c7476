"""What `json` and `ndjson` say of a file, as live.state() has it."""
import base64
import json

from . import live


def exact(text):
    """The bytes that a string of the output stands for."""
    return text.encode("utf-8", "surrogateescape")


def from_base64(text):
    return base64.b64decode(text[7:], validate=True) if text.startswith("base64:") else text.encode()


def _id(text):
    return live.stream_id(text.encode())


def _group(told, read):
    consumers = {read(c["name"]): {_id(p["id"]): (p["delivered_ms"], p["deliveries"]) for p in c["pending"]} for c in told["consumers"]}
    return _id(told["last_id"]), told["entries_read"], consumers


def _stream(told, read):
    if told["length"] != len(told["entries"]):
        raise AssertionError(told)
    return {"entries": {_id(e["id"]): [(read(f), read(v)) for f, v in e["fields"]] for e in told["entries"]},
            "last": _id(told["last_id"]), "deleted": _id(told["max_deleted_id"]), "added": told["entries_added"],
            "groups": {read(g["name"]): _group(g, read) for g in told["groups"]}}


MAKE = {"string": lambda v, read: read(v), "list": lambda v, read: [read(e) for e in v], "set": lambda v, read: {read(e) for e in v},
        "hash": lambda v, read: {read(f): read(w) for f, w in v.items()}, "zset": lambda v, read: {read(m): float(s) for m, s in v},
        "stream": _stream}


def key(told, read):
    """((database, key), (type, value, when it expires, when its fields do))"""
    value = MAKE[told["type"]](told["value"], read)
    fields = {read(f): at for f, at in told.get("field_expire_at_ms", {}).items()}
    return (told["db"], read(told["key"])), (told["type"].encode(), value, told.get("expire_at_ms", -1), fields)


def document(data, read=exact):
    """The keys of the one file in it."""
    (file,) = json.loads(data)
    found = [key(k, read) for k in file["keys"]]
    if len(dict(found)) != len(found):
        raise AssertionError("a key twice")
    return dict(found), [(f["name"], read(f["code"])) for f in file["functions"]]


def lines(data, read=exact):
    return dict(key(json.loads(line), read) for line in data.splitlines())
