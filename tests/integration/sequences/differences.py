"""What Redis 7.2 does otherwise than 7.0, the reference server: each with its reason.

REPLIES    rows (command or None for any, pattern of our reply, pattern of theirs): repr() of both
           must match
ENCODINGS  pairs (ours, theirs) of OBJECT ENCODING that are allowed
"""
import re

WRONG_ARGUMENT = r"RespError\('ERR (value is not an integer or out of range|syntax error)'\)"

REPLIES = [
    # 7.2 knows WITHSCORE
    ("ZRANK", r"RespError\('ERR syntax error'\)", r"RespError.*wrong number of arguments.*"),
    ("ZREVRANK", r"RespError\('ERR syntax error'\)", r"RespError.*wrong number of arguments.*"),
    # 7.2 names the command
    (None, r"RespError\(\"ERR Unbalanced 'xread(group)?' list of .*", r"RespError\(\"ERR Unbalanced XREAD list of .*"),
    # 7.2 reads all arguments before it looks at the key; 7.0 does not read a range where there is
    # no key or one of another type.
    ("BITCOUNT", WRONG_ARGUMENT, r"0|RespError\('WRONGTYPE .*'\)"),
    ("BITPOS", WRONG_ARGUMENT, r"0|-1|RespError\('WRONGTYPE .*'\)"),
]

ENCODINGS = {
    ("listpack", "quicklist"),  # 7.2 keeps small lists in a listpack
    ("listpack", "hashtable"),  # 7.2 keeps small sets of strings in a listpack
    ("listpack", "skiplist"),  # Redis's SORT makes a small sorted set a large one to walk through it
    # Redis builds the whole first set before it takes others away, and keeps the form that it had
    # then.
    ("intset", "hashtable"),
    ("listpack", "intset"), ("hashtable", "intset"),  # 7.2 chooses a new set's form by the number of words, those given twice too
}

COMPILED = [(name, re.compile(a, re.S), re.compile(b, re.S)) for name, a, b in REPLIES]


def is_known(command, ours, theirs):
    name = str(command[0]).upper()
    return any((n is None or n == name) and a.fullmatch(repr(ours)) and b.fullmatch(repr(theirs)) for n, a, b in COMPILED)


def is_known_encoding(ours, theirs):
    return (ours.decode(), theirs.decode()) in ENCODINGS
