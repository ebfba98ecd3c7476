/* snapshot/rdb/rdb.h - the RDB file format: opcodes, type numbers, their names.  The format itself:
 * docs/rdb.md.
 * Threads: [any]. */
#ifndef SNAPSHOT_RDB_RDB_H
#define SNAPSHOT_RDB_RDB_H

#include <stdint.h>

enum rdb_opcode {
    RDB_OP_SLOT_INFO = 244,
    RDB_OP_FUNCTION2 = 245,
    RDB_OP_FUNCTION_PRE = 246,
    RDB_OP_MODULE_AUX = 247,
    RDB_OP_IDLE = 248,
    RDB_OP_FREQ = 249,
    RDB_OP_AUX = 250,
    RDB_OP_RESIZEDB = 251,
    RDB_OP_EXPIRETIME_MS = 252,
    RDB_OP_EXPIRETIME = 253,
    RDB_OP_SELECTDB = 254,
    RDB_OP_EOF = 255
};

enum rdb_type {
    RDB_TYPE_STRING = 0,
    RDB_TYPE_LIST = 1,
    RDB_TYPE_SET = 2,
    RDB_TYPE_ZSET = 3,
    RDB_TYPE_HASH = 4,
    RDB_TYPE_ZSET_2 = 5,
    RDB_TYPE_MODULE_1 = 6,
    RDB_TYPE_MODULE = 7,
    RDB_TYPE_HASH_ZIPMAP = 9,
    RDB_TYPE_LIST_ZIPLIST = 10,
    RDB_TYPE_SET_INTSET = 11,
    RDB_TYPE_ZSET_ZIPLIST = 12,
    RDB_TYPE_HASH_ZIPLIST = 13,
    RDB_TYPE_LIST_QUICKLIST = 14,
    RDB_TYPE_STREAM = 15,
    RDB_TYPE_HASH_LISTPACK = 16,
    RDB_TYPE_ZSET_LISTPACK = 17,
    RDB_TYPE_LIST_QUICKLIST_2 = 18, /* its nodes: RDB_QUICKLIST_* */
    RDB_TYPE_STREAM_2 = 19,
    RDB_TYPE_SET_LISTPACK = 20,
    RDB_TYPE_STREAM_3 = 21,
    /* from here on the file's version says what a number means */
    RDB_TYPE_HASH_EXPIRES_RC = 22, /* Redis 7.4's release candidates */
    RDB_TYPE_HASH_EXPIRES_LISTPACK_RC = 23,
    RDB_TYPE_HASH_EXPIRES = 24,
    RDB_TYPE_HASH_EXPIRES_LISTPACK = 25,
    RDB_TYPE_HASH_EXPIRES_VALKEY = 22,
    RDB_TYPE_READ_LAST = 25 /* the highest number that is read in any version */
};

/* A length: 6 bits in the first byte, or 14 with the next one, or 4 or 8 bytes that follow; highest
 * byte first.  With both high bits set it is no length: the other six say how a string is
 * written. */
enum rdb_len_form {
    RDB_LEN_6 = 0x00,
    RDB_LEN_14 = 0x40,
    RDB_LEN_32 = 0x80,
    RDB_LEN_64 = 0x81,
    RDB_ENC_INT8 = 0xc0,
    RDB_ENC_INT16 = 0xc1,
    RDB_ENC_INT32 = 0xc2,
    RDB_ENC_LZF = 0xc3
};

/* What a node of a quicklist is: one element as it is, or a listpack. */
enum { RDB_QUICKLIST_PLAIN = 1, RDB_QUICKLIST_PACKED = 2 };

enum {
    RDB_VERSION_DEFAULT = 10,
    RDB_VERSION_MAX = 12,        /* of those that begin with "REDIS" */
    RDB_VERSION_REDIS_LAST = 79, /* that can be: Valkey takes over here */
    RDB_VERSION_VALKEY = 80, /* "VALKEY080"; also what tells the two families of numbers apart */
    RDB_MAGIC_BYTES = 9,
    RDB_CRC_BYTES = 8,
    RDB_CRC_FROM_VERSION = 5,
    RDB_VERSION_MIN = 9,             /* of those that are written */
    RDB_LISTPACKS_FROM_VERSION = 10, /* of lists, hashes, sorted sets; counters of streams */
    RDB_FUNCTIONS_FROM_VERSION = 10,
    RDB_SET_LISTPACK_FROM_VERSION = 11, /* and when consumers of streams were active */
    RDB_SLOT_INFO_FROM_VERSION = 12,
    RDB_HASH_EXPIRES_FROM_VERSION = 12,
    RDB_CARRIED_MOST = 16384, /* function libraries and AUX fields to be carried on, in one file */
    RDB_INT_TEXT_BYTES = 11   /* "-2147483648": the longest string with an integer form */
};

/* rdb_type_name: what a value type number means in a file of that version ("list quicklist 2");
 * NULL: nothing known.
 * rdb_opcode_name: the same of an opcode.  [any] */
const char *rdb_type_name(int version, unsigned type);
const char *rdb_opcode_name(int version, unsigned opcode);
/* rdb_type_since, rdb_opcode_since: of one that has a name: the server that it came with, "Redis
 * 8.6"; NULL: it is older than what is told of here.  rdb_version_writer: the servers that write
 * that version; NULL: nobody is known to.  [any] */
const char *rdb_type_since(int version, unsigned type);
const char *rdb_opcode_since(int version, unsigned opcode);
const char *rdb_version_writer(int version);
/* rdb_module_name: the name of a module's type, nine characters, from the number that stands in the
 * file. Returns the version of its encoding. [any] */
enum { RDB_MODULE_NAME_BYTES = 10 };
unsigned rdb_module_name(uint64_t id, char ret[RDB_MODULE_NAME_BYTES]);

#endif
