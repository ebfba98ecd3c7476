/* tests/snapshot/rdb_files.h - good files, spelled out by hand (spell.h), and the events that they
 * give. */
#ifndef TESTS_SNAPSHOT_RDB_FILES_H
#define TESTS_SNAPSHOT_RDB_FILES_H

static const struct {
    const char *file, *events;
} good[] = {
    /* the frame */
    {"'REDIS0010' ff zero", "start 10\nend zero\n"},
    {"'REDIS0010' ff crc", "start 10\nend good\n"},
    {"'REDIS0001' ff", "start 1\nend none\n"},
    {"'REDIS0004' ff", "start 4\nend none\n"},
    {"'REDIS0005' ff crc", "start 5\nend good\n"},
    {"'REDIS0012' ff crc", "start 12\nend good\n"},
    {"'VALKEY080' ff crc", "start 80\nend good\n"},
    {"'REDIS0010' fa ['abc'] c0 40 ff crc", "start 10\naux abc=64\nend good\n"},
    {"'REDIS0010' fe 02 fb 05 40 64 fe 00 fe 02 ff crc",
     "start 10\ndb 2\nsize 5 100\ndb 0\ndb 2\nend good\n"},
    {"'REDIS0010' f5 ['#!lua'] ff crc", "start 10\nfunction #!lua\nend good\n"},
    {"'REDIS0012' f4 40 ff 01 00 ff crc", "start 12\nend good\n"},
    {"'VALKEY080' f4 40 ff 01 00 ff crc", "start 80\nend good\n"},
    /* strings: forms of the length, integers, LZF */
    {"'REDIS0010' 00 ['k'] 03 'abc' ff crc",
     "start 10\nkey 0 k type 0\nform plain\nstring abc\nend good\n"},
    {"'REDIS0010' 00 ['k'] 40 03 'abc' ff crc",
     "start 10\nkey 0 k type 0\nform plain\nstring abc\nend good\n"},
    {"'REDIS0010' 00 ['k'] 80 00 00 00 03 'abc' ff crc",
     "start 10\nkey 0 k type 0\nform plain\nstring abc\nend good\n"},
    {"'REDIS0010' 00 ['k'] 81 00 x 7 03 'abc' ff crc",
     "start 10\nkey 0 k type 0\nform plain\nstring abc\nend good\n"},
    {"'REDIS0010' 00 00 00 ff crc", "start 10\nkey 0  type 0\nform plain\nstring \nend good\n"},
    {"'REDIS0010' 00 c0 80 c0 7f ff crc",
     "start 10\nkey 0 -128 type 0\nform int\nstring 127\nend good\n"},
    {"'REDIS0010' 00 c1 00 80 c1 ff 7f ff crc",
     "start 10\nkey 0 -32768 type 0\nform int\nstring 32767\nend good\n"},
    {"'REDIS0010' 00 c2 00 00 00 80 c2 ff ff ff 7f ff crc",
     "start 10\nkey 0 -2147483648 type 0\nform int\nstring 2147483647\nend good\n"},
    {"'REDIS0010' 00 ['k'] c3 04 06 00 'a' 60 00 ff crc",
     "start 10\nkey 0 k type 0\nform lzf\nstring aaaaaa\nend good\n"},
    {"'REDIS0010' 00 ['k'] c3 09 13 02 'abc' e0 06 02 00 '!' ff crc",
     "start 10\nkey 0 k type 0\nform lzf\nstring abcabcabcabcabcabc!\nend good\n"},
    {"'REDIS0010' 00 c3 04 06 00 'a' 60 00 c0 01 ff crc",
     "start 10\nkey 0 aaaaaa type 0\nform int\nstring 1\nend good\n"},
    /* attributes of keys belong to one key only; the database stays */
    {"'REDIS0010' fe 03 fc 08 07 06 05 04 03 02 01 00 ['k'] ['v'] f9 07 00 ['l'] ['w'] 00 ['m'] ['x'] ff crc",
     "start 10\ndb 3\nkey 3 k type 0 expires 72623859790382856\nform plain\nstring v\n"
     "key 3 l type 0 freq 7\nform plain\nstring w\nkey 3 m type 0\nform plain\nstring x\nend good\n"},
    {"'REDIS0003' fd 00 00 00 40 00 ['k'] ['v'] ff",
     "start 3\nkey 0 k type 0 expires 1073741824000\nform plain\nstring v\nend none\n"},
    {"'REDIS0003' fd ff ff ff ff 00 ['k'] ['v'] ff",
     "start 3\nkey 0 k type 0 expires -1000\nform plain\nstring v\nend none\n"},
    {"'REDIS0010' f8 40 64 f9 ff fc 01 00 x 7 00 ['k'] ['v'] ff crc",
     "start 10\nkey 0 k type 0 expires 1 idle 100 freq 255\nform plain\nstring v\nend good\n"},
    /* hashes */
    {"'REDIS0010' 04 ['h'] 02 ['f'] ['v'] c0 05 c1 00 01 ff crc",
     "start 10\nkey 0 h type 4\nhash 2\nfield f=v\nfield 5=256\nend good\n"},
    /* ... whose fields may expire, and do not */
    {"'REDIS0012' 18 ['h'] 00 x 8 02 00 ['f'] ['v'] 00 c0 05 c1 00 01 ff crc",
     "start 12\nkey 0 h type 24\nhash 2\nfield f=v\nfield 5=256\nend good\n"},
    {"'REDIS0012' 19 ['h'] 00 x 8 [( 6 : 81 'f' 02 81 'v' 02 00 01 05 01 06 01 00 01 )] ff crc",
     "start 12\nkey 0 h type 25\nform plain\nhash 2\nfield f=v\nfield 5=6\nend good\n"},
    {"'REDIS0012' 16 ['h'] 01 00 ['f'] ['v'] ff crc",
     "start 12\nkey 0 h type 22\nhash 1\nfield f=v\nend good\n"},
    {"'REDIS0012' 17 ['h'] [( 3 : 81 'f' 02 81 'v' 02 00 01 )] ff crc",
     "start 12\nkey 0 h type 23\nform plain\nhash 1\nfield f=v\nend good\n"},
    {"'VALKEY080' 16 ['h'] 01 ['f'] ['v'] ff x 8 ff crc",
     "start 80\nkey 0 h type 22\nhash 1\nfield f=v\nend good\n"},
    {"'REDIS0012' 18 ['h'] 00 x 8 00 ff crc", "start 12\nkey 0 h type 24\nhash 0\nend good\n"},
    {"'REDIS0010' 04 ['h'] 00 ff crc", "start 10\nkey 0 h type 4\nhash 0\nend good\n"},
    {"'REDIS0010' 10 ['h'] [( 4 : 81 'f' 02 f1 00 10 03 05 01 80 01 )] ff crc",
     "start 10\nkey 0 h type 16\nform plain\nlistpack 2 f 4096 5 \nend good\n"},
    {"'REDIS0010' 10 ['h'] [( 0 : )] ff crc",
     "start 10\nkey 0 h type 16\nform plain\nlistpack 0\nend good\n"},
    {"'REDIS0010' 10 ['h'] [( 65535 : 05 01 06 01 )] ff crc",
     "start 10\nkey 0 h type 16\nform plain\nlistpack 1 5 6\nend good\n"},
    /* zipmap: count, pairs, with unused bytes after values, and a length in five bytes */
    {"'REDIS0003' 09 ['h'] [02 01 'f' 03 02 'val..' 00 00 00 ff] ff",
     "start 3\nkey 0 h type 9\nform plain\nhash 2\nfield f=val\nfield =\nend none\n"},
    {"'REDIS0003' 09 ['h'] [00 ff] ff", "start 3\nkey 0 h type 9\nform plain\nhash 0\nend none\n"},
    {"'REDIS0003' 09 ['h'] [fe fe 01 00 00 00 'f' 02 01 'va.' ff] ff",
     "start 3\nkey 0 h type 9\nform plain\nhash 1\nfield f=va\nend none\n"},
    /* ziplist: bytes, offset of the last entry, count, entries: small integers, all sizes, long
       forms of lengths */
    {"'REDIS0006' 0d ['h'] [16 00 00 00 13 00 00 00 04 00 00 01 'f' 03 fe fb 03 01 'g' 03 fd ff] ff crc",
     "start 6\nkey 0 h type 13\nform plain\nhash 2\nfield f=-5\nfield g=12\nend good\n"},
    {"'REDIS0006' 0d ['h'] [1d 00 00 00 17 00 00 00 04 00 00 c0 e8 03 04 01 'x' 03 d0 c0 c6 2d 00 06 f0 90 "
     "ee fe ff] "
     "ff crc",
     "start 6\nkey 0 h type 13\nform plain\nhash 2\nfield 1000=x\nfield 3000000=-70000\nend good\n"},
    {"'REDIS0006' 0d ['h'] [17 00 00 00 0c 00 00 00 02 00 00 f1 02 e0 00 00 00 00 00 00 00 80 ff] ff crc",
     "start 6\nkey 0 h type 13\nform plain\nhash 1\nfield 0=-9223372036854775808\nend good\n"},
    {"'REDIS0006' 0d ['h'] [1a 00 00 00 0e 00 00 00 ff ff 00 40 01 'f' fe 04 00 00 00 80 00 00 00 01 'v' ff] "
     "ff crc",
     "start 6\nkey 0 h type 13\nform plain\nhash 1\nfield f=v\nend good\n"},
    {"'REDIS0006' 0d ['h'] [0b 00 00 00 0a 00 00 00 00 00 ff] ff crc",
     "start 6\nkey 0 h type 13\nform plain\nhash 0\nend good\n"},
};
enum { GOOD = sizeof good / sizeof *good };

/* A file with a bit of everything in it. */
static const char everything[] =
    "'REDIS0012' fa ['redis-ver'] ['7.4.0'] fe 00 fb 05 01 f4 01 02 03 f5 "
    "['#!lua name=x'] fc 00 e8 76 48 17 00 00 00 00 "
    "['string'] ['value of it'] f8 40 64 00 ['int'] c1 00 80 f9 07 00 ['lzf'] "
    "c3 09 13 02 'abc' e0 06 02 00 '!' "
    "04 ['plain'] 02 ['f'] ['v'] c0 05 c1 00 01 "
    "10 ['listpack'] [( 4 : 81 'f' 02 f1 00 10 03 05 01 f4 00 x 7 80 09 )] "
    "09 ['zipmap'] [02 01 'f' 03 02 'val..' 00 00 00 ff] "
    "0d ['ziplist'] [1d 00 00 00 17 00 00 00 04 00 00 c0 e8 03 04 01 'x' 03 d0 "
    "c0 c6 2d 00 06 f0 90 ee fe ff] ff zero";

#endif
