/* server/data/db/evict_policy.h - maxmemory-policy: what eviction goes by, and so what records note
 * of their use, and what a dump keeps of it.
 * Threads: any; constants only. */
#ifndef SERVER_DATA_DB_EVICT_POLICY_H
#define SERVER_DATA_DB_EVICT_POLICY_H

/* The bits say what is drawn from and by what. */
enum evict_policy {
    EVICT_LRU = 1,
    EVICT_LFU = 2,
    EVICT_TTL = 4,
    EVICT_RANDOM = 8,
    EVICT_ALL_KEYS = 16, /* else only keys that expire */
    EVICT_NO = 32
};

#endif
