"""The extremes; what stands in the other places; what the keys hold."""
import hashlib

from dump_bytes import payload, string

INTEGERS = [str(n) for n in (
    -(1 << 63) - 1, -(1 << 63), -(1 << 63) + 1, -(1 << 32), -(1 << 31) - 1, -(1 << 31), -1, 0, 1, (1 << 31) - 1, 1 << 31, 1 << 32,
    1 << 53, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, 1 << 64, 10 ** 24 + 1)]
NO_INTEGERS = ["", " 1", "1 ", "+1", "-0", "01", "1e3", "0x10", "nan", "inf", "-inf", "1.7e308", "4.9e-324", "1,5", "1.5"]
EXTREMES = [x.encode() for x in INTEGERS + NO_INTEGERS]
# Those of which two stand in a command.
PAIRED = [str(n).encode() for n in (-(1 << 63), -(1 << 31), -1, 0, 1, 1 << 31, 1 << 53, (1 << 63) - 1, 1 << 63)] + [b"", b"nan", b"1.7e308"]
# What no command takes for an integer.
MALFORMED = {x.encode() for x in NO_INTEGERS} | {x.encode() for x in INTEGERS if not -(1 << 63) <= int(x) < 1 << 64}

# Words that COMMAND DOCS calls strings and that are numbers, or have one within: the kind of place.
PLACES = {"id": "id", "lastid": "id", "last-id": "id", "max-deleted-id": "id", "threshold": "id", "min-idle-time": "integer",
          ("xautoclaim", "start"): "id", ("xrange", "start"): "id", ("xrange", "end"): "id", ("xrevrange", "start"): "id",
          ("xrevrange", "end"): "id", ("xpending", "start"): "id", ("xpending", "end"): "id",
          ("zrangestore", "min"): "double", ("zrangestore", "max"): "double", "encoding": "encoding",
          ("bgsave", "number"): "integer"}

# How an extreme is written where more than a number may stand.
WRITTEN = {"integer": [b"%b"], "double": [b"%b"], "id": [b"%b", b"1-%b", b"%b-1"], "encoding": [b"u%b", b"i%b"],
           "interval": [b"%b", b"(%b"], "bit offset": [b"%b", b"#%b"]}

# Words that are no numbers; others: "a".
WORDS = {"field": b"f", "group": b"g", "consumer": b"c", "pattern": b"*", "type": b"string", "script": b"return #KEYS", "value": b"v",
         "sha1": hashlib.sha1(b"return #KEYS").hexdigest().encode(), "function": b"count", "member2": b"b", "username": b"default",
         "host": b"127.0.0.1", "serialized-value": payload(b"\0" + string(b"x")),
         ("zlexcount", "min"): b"-", ("zlexcount", "max"): b"+", ("zrangebylex", "min"): b"-", ("zrangebylex", "max"): b"+",
         ("zrevrangebylex", "min"): b"-", ("zrevrangebylex", "max"): b"+"}

LIBRARY = ("#!lua name=counting\nredis.register_function{function_name='count', callback=function(keys) return #keys end, "
           "flags={'no-writes'}}")
FAR_MS = 4102444800000  # 2100
# What stands in a place for a number while another one has the extreme; others: 2.
USUAL = {"seconds": 100000, "milliseconds": 100000000, "unix-time-seconds": FAR_MS // 1000, "unix-time-milliseconds": FAR_MS,
         "start": 0, "stop": -1, "end": -1, "offset": 0, "index": 0, "value": 1, "bit": 1, "radius": 300, "longitude": 13.5,
         "latitude": 38, "width": 500, "height": 500, "destination-db": 1, "db": 1, "timeout": 1, "ttl": 0, "rank": 1, "len": 0,
         "cursor": 0, "min": 1, "max": 3, "limit": 2, "numreplicas": 0, "numlocal": 0, "id": "1-1", "lastid": "1-1",
         "last-id": "9-9", "max-deleted-id": "3-3", "entries-added": 9, "threshold": 1, "min-idle-time": 0, "encoding": "u8",
         "port": 1, "number": 0, "index1": 0, "index2": 1, ("xadd", "id"): "9-9", ("xread", "id"): 0, ("xreadgroup", "id"): ">",
         ("xread", "milliseconds"): 1, ("xreadgroup", "milliseconds"): 1, ("xrange", "start"): "-", ("xrange", "end"): "+",
         ("xrevrange", "start"): "-", ("xrevrange", "end"): "+", ("xpending", "start"): "-", ("xpending", "end"): "+",
         ("xautoclaim", "start"): "0", ("xgroup create", "id"): 0}

_LIST = [["RPUSH", "%s", "a", "b", "a", "c"]]
_ZSET = [["ZADD", "%s", "1", "a", "2", "b", "3", "c"]]
# What makes a key of each group of commands.
MAKE = {"string": [["SET", "%s", "10"]], "bitmap": [["SET", "%s", "\x0f\x10"]], "generic": [["SET", "%s", "10"]], "list": _LIST,
        "set": [["SADD", "%s", "a", "b", "c"]], "sorted-set": _ZSET, "hash": [["HSET", "%s", "f", "5", "g", "v"]],
        "geo": [["GEOADD", "%s", "13.361389", "38.115556", "a", "15.087269", "37.502669", "b"]],
        "stream": [["XADD", "%s", "1-1", "f", "v"], ["XADD", "%s", "2-0", "f", "v"], ["XADD", "%s", "5-5", "f", "v"],
                   ["XGROUP", "CREATE", "%s", "g", "0"], ["XREADGROUP", "GROUP", "g", "c", "COUNT", "1", "STREAMS", "%s", ">"]],
        "sort": [["RPUSH", "%s", "3", "1", "2"]]}
KEYS = ["k", "j"]


def usual(command, name):
    for key in ((command, name), name):
        if key in USUAL:
            return str(USUAL[key]).encode()
    return b"2"
