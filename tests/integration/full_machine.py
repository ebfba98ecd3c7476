"""A machine of one program is filled until it says no, in several shapes, and is used on: by
test_one_program.py a pretended one, by tests/osv/test_memory.py one of OSv.

A `machine` has client(): a new connection; and check(): raises if it has ended."""
import resp

REFUSAL = "OOM command not allowed when used memory > 'maxmemory'."
DOES_NOT_FIT = "The file is left untouched and the server does not start: its data needs more memory than there is."
SPARE_PERCENT = 15  # of maxmemory: what DEBUG POPULATE leaves for the commands of a shape
FAST_FROM = 256 << 20  # of maxmemory: most of more than this DEBUG POPULATE makes, for each shape
GONE_PART = 30  # of the keys: so many are deleted for others
MIB = 1 << 20


def small(i):
    return ["SET", "small:%d" % i, "value:%d" % i]


def large(i):
    return ["SET", "large:%d" % i, b"%08d" % i * 12500]


def append(i):
    return ["APPEND", "append:%d" % (i % 20), b"%08d" % i * 25000]


def fields(i):
    return ["HSET", "hash:%d" % (i // 400)] + [w for k in range(50) for w in ("field:%d" % (i * 50 + k), "value")]


def scores(i):
    return ["ZADD", "zset:%d" % (i // 400)] + [w for k in range(50) for w in (i * 50 + k, "member:%d" % (i * 50 + k))]


def elements(i):
    return ["RPUSH", "list:%d" % (i // 400)] + ["element:%d" % (i * 100 + k) for k in range(100)]


# name: (a command by its number, how many in a pipeline, bytes of a value of DEBUG POPULATE before)
SHAPES = {"small": (small, 500, 10), "large": (large, 4, 100000), "append": (append, 2, 0), "fields": (fields, 20, 0),
          "scores": (scores, 20, 0), "elements": (elements, 20, 0)}


def figure(c, name):
    for line in c.call("INFO", "everything").decode().split("\r\n"):
        if line.startswith(name + ":"):
            return line.split(":", 1)[1]
    raise KeyError(name)


def setting(c, name):
    return int(c.call("CONFIG", "GET", name)[1])


def populate(c, size):
    """Most of maxmemory, by keys that are made inside."""
    count, limit = max(1, min(20000, MIB // size)), setting(c, "maxmemory") * (100 - SPARE_PERCENT) // 100
    made = 0
    while int(figure(c, "used_memory")) < limit:
        c.call("DEBUG", "POPULATE", count, "populated:%d" % made, size)
        made += 1


def fill(machine, shape, connections=4):
    """Until a command is refused, on several connections at once; how many were not."""
    make, depth, size = SHAPES[shape]
    clients, done = [machine.client() for _ in range(connections)], 0
    if size > 0 or setting(clients[0], "maxmemory") > FAST_FROM:
        populate(clients[0], size or 1000)
    while True:
        for c in clients:
            c.send_raw(b"".join(resp.pack(*make(done + k)) for k in range(depth)))
            done += depth
        replies = [c.read() for c in clients for _ in range(depth)]
        errors = {str(r) for r in replies if isinstance(r, resp.RespError)}
        machine.check()
        if errors:
            for c in clients:
                c.close()
            assert errors == {REFUSAL}, errors
            return done - depth * connections


def wait_saved(c, seconds=300):
    resp.wait_until(lambda: figure(c, "rdb_bgsave_in_progress") == "0", seconds=seconds, step=0.05, what="the end of a save")
    return figure(c, "rdb_last_bgsave_status")


def use_full(machine):
    """Reads, a save, and writes again after some of the keys have gone: (digest, keys) then."""
    c = machine.client()
    keys = c.call("DBSIZE")
    assert keys > 0 and c.call("RANDOMKEY") is not None
    c.call("BGSAVE")
    status = wait_saved(c)
    assert status == "ok", status
    gone, part = 0, max(keys // GONE_PART, 1)
    while gone == 0 or not is_soon(lambda: accepts(c)):
        assert gone <= keys // 5, (gone, keys)
        for _ in range(0, part, 500):
            gone += c.call("DEL", *c.pipeline([["RANDOMKEY"]] * min(500, part)))
    machine.check()
    return c.call("DEBUG", "DIGEST"), c.call("DBSIZE")


def is_soon(condition):
    """True within ten seconds?"""
    try:
        return resp.wait_until(condition, seconds=10, step=0.1)
    except AssertionError:
        return False


def accepts(c):
    try:
        return c.call("SET", "accepted", "x") == b"OK"
    except resp.RespError as e:
        assert str(e) == REFUSAL, e
        return False


def refuse_claim(machine):
    """The header of an argument that is larger than may be is the last thing that is read."""
    c = machine.client()
    c.send_raw(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n" % (setting(c, "proto-max-bulk-len") + 1))
    said = c.read()
    assert isinstance(said, resp.RespError) and "invalid bulk length" in str(said), said


def crowd_requests(machine):
    """Clients that send a large argument and do not end it: the largest are closed."""
    control = machine.client()
    size, limit = setting(control, "proto-max-bulk-len"), setting(control, "maxmemory-clients")
    head = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n" % size
    clients, piece = [], b"x" * (size // 4)
    for _ in range(2 * limit // size + 2):
        c = machine.client()
        clients.append(c)
        try:
            c.send_raw(head)
            for _ in range(3):
                c.send_raw(piece)
        except OSError:
            pass  # closed
        assert control.call("PING") == b"PONG"
    resp.wait_until(lambda: int(figure(control, "mem_clients_normal")) <= limit, what="clients within their limit")
    assert int(figure(control, "evicted_clients")) > 0
    machine.check()


def crowd_replies(machine):
    """Clients that ask for more than the machine has, and do not read: within maxmemory-clients the
    largest are closed; without it, who needs what is not there."""
    for limit in (None, 0):
        crowd(machine, limit)


def crowd(machine, limit):
    control = machine.client()
    if limit is not None:
        control.call("CONFIG", "SET", "maxmemory-clients", limit)
    size = setting(control, "proto-max-bulk-len") // 2
    control.call("SETRANGE", "wide", size, "x")
    clients = [machine.client() for _ in range(4)]
    for c in clients:  # more than all clients may have, in one command or in many
        c.send_raw(resp.pack("MGET", *["wide"] * 64) if c is clients[0] else resp.pack("GET", "wide") * 16)
    assert control.call("PING") == b"PONG"
    resp.wait_until(lambda: int(figure(control, "connected_clients")) < 5, what="one that is closed")
    assert control.call("STRLEN", "wide") == size + 1
    for c in clients:
        c.close()
    resp.wait_until(lambda: int(figure(control, "connected_clients")) == 1, what="the end of all others")
    machine.check()


def evict_beside_saves(machine):
    """Within maxmemory, and then without one that the machine could hold, keys go for others.  What
    a save still reads does not come back before its end, so that writes may be refused until then;
    when it has ended they are taken again without anybody's help."""
    c = machine.client()
    for limit in (setting(c, "maxmemory"), 0):
        c.call("CONFIG", "SET", "maxmemory", limit)
        before, i = int(figure(c, "evicted_keys")), 0
        while int(figure(c, "evicted_keys")) < before + 1000:
            assert i < 50000, "too few keys go"
            if i % 1000 == 0 and figure(c, "rdb_bgsave_in_progress") == "0":
                c.call("BGSAVE")
            replies = c.pipeline([["SET", "key:%d:%d" % (limit, i + k), b"%08d" % i * 6250] for k in range(20)])
            if any(isinstance(r, resp.RespError) for r in replies):
                wait_saved(c)
                resp.wait_until(lambda: accepts(c), what="a write that is accepted")
            i += 20
            machine.check()
        assert wait_saved(c) == "ok"
