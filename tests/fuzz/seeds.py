#!/usr/bin/env python3
"""Files of every type and form of RDB, to begin with: tests/fuzz/seeds.py DIRECTORY [tool].
With `tool` each has the byte before it that fuzz_tool takes, one file for each command.

tests/fuzz/seeds.py DIRECTORY scripts: the programs of the integration tests, and what the decoders
read, as fuzz_scripts.c takes them."""
import gzip
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../integration"))
from dump_bytes import VALUES, key, rdb, string  # noqa: E402

COMMANDS = 64  # as fuzz_tool.c: how many bytes choose another one


def files():
    head = b"\xfa" + string(b"redis-ver") + string(b"7.4.0") + b"\xfa" + string(b"ctime") + b"\xc2\0\0\0\x60" + b"\xfe\0\xfb\x02\x01"
    expiry = b"\xfc" + struct.pack("<Q", 4102444800000)
    for kind, value in VALUES.items():
        yield rdb(head, expiry + b"\xf9\x05" + key(kind, b"key:1", value), b"\xfe\x02", key(0, b"key:2", b"\xc0\x05"), version=12)
    yield rdb(head, b"\xf5" + string(b"#!lua name=lib\n"), *[key(k, b"%d" % k, v) for k, v in VALUES.items()], version=12)
    yield rdb(key(24, b"h", b"\x05" + bytes(7) + b"\x01\x03" + string(b"f") + string(b"v")), version=12)
    yield b"VALKEY080\x16\x01h\x01\x01f\x01v\x05" + bytes(7) + b"\xff" + bytes(8)
    yield rdb(b"\x07" + string(b"m") + b"\x01\x02\x05\x05" + string(b"s") + b"\x04" + bytes(8) + b"\0", b"\xf7\x01\x02\x02\0")
    yield rdb(key(0, b"lzf", b"\xc3\x09\x13\x02abc\xe0\x06\x02\0!"))
    entry = bytes([0x01, 0x01, 0x00, 0x01, 0x01, 0x01, 0x81]) + b"f\x02\x00\x01"
    live = bytes([0x02, 0x01, 0x00, 0x01, 0x00, 0x01, 0x81]) + b"v\x02\x04\x01"
    node = entry + live
    listpack = struct.pack("<IH", len(node) + 7, 10) + node + b"\xff"
    stream = (b"\x01" + string(struct.pack(">QQ", 1, 1)) + string(listpack) + b"\x01\x01\x01\x01\x01\0\0\x01" +
              b"\x01" + string(b"g") + b"\x01\x01\x01" + b"\x01" + struct.pack(">QQ", 1, 1) + bytes(8) + b"\x01" +
              b"\x01" + string(b"c") + bytes(16) + b"\x01" + struct.pack(">QQ", 1, 1))
    yield rdb(key(21, b"s", stream), version=12)


def main(directory, tool):
    os.makedirs(directory, exist_ok=True)
    before = b""
    for i, data in enumerate(files()):
        for command in range(COMMANDS) if tool else [None]:
            with open(os.path.join(directory, f"seed-{i}-{command}"), "wb") as f:
                f.write(data if command is None else bytes([command]) + data)
        if tool:  # two files
            with open(os.path.join(directory, f"seed-two-{i}"), "wb") as f:
                f.write(bytes([64 + i]) + struct.pack("<H", len(data)) + data + before)
        before = data
    if tool:
        with open(os.path.join(directory, "seed-gzip"), "wb") as f:
            f.write(b"\0" + gzip.compress(data))


DECODED = [b"\x93\x01\xa1a\xc0", b"\x81\xa1a\xcb" + bytes(8), b'{"a":[1,2.5,null,"\\u00e9"]}', b"!8bBhHlLTiIfdsc3x", b"%b()%f[%w]+(.-)%1?[^a-z]*",
           b"%5.1f %d %s %q %x %%", b"return 1, 'a'"]
DECODERS = 13  # as fuzz_scripts.c


def scripts(directory):
    import test_script_sandbox
    import test_scripts
    os.makedirs(directory, exist_ok=True)
    programs = [b"\0" + p.encode("latin-1", "replace") for p in [*test_scripts.programs(), *test_script_sandbox.EndedByKill.PROGRAMS]]
    decoded = [bytes([2, k]) + d for k in range(DECODERS) for d in DECODED]
    libraries = [b"\3redis.register_function('f', function(KEYS, ARGV) %s end)" % p[1:] for p in programs[::4]]
    for i, data in enumerate(programs + decoded + libraries):
        with open(os.path.join(directory, "seed-%d" % i), "wb") as f:
            f.write(data)


if sys.argv[2:] == ["scripts"]:
    scripts(sys.argv[1])
else:
    main(sys.argv[1], len(sys.argv) > 2)
