/* tidy.pml - free memory that goes back through another thread: TD1, O-9.
 *
 * Three blocks of one byte.  Two threads: the mutator, which allocates, writes and frees blocks,
 * lends dirty free ones and takes them back; the discarder, which makes what is lent zero, a block
 * a step.  One memory, each load and store a step: the semaphores are full barriers.
 * Property: a block in use holds what was written to it; a job is done once and by one thread; when
 * all is taken back, every block that was on loan is clean. */

#ifndef COMMANDS
#define COMMANDS 14
#endif
#define BLOCKS 3

#define FREE 0
#define USED 1
#define LENT 2

byte kind[BLOCKS];
bit dirty[BLOCKS];
bit cell[BLOCKS];  /* 0: as the system gives it; 1: written */
bit ranges[BLOCKS];

/* The two semaphores. */
byte posted;
byte done;
bit stop;

/* ---- the mutator ---- */

inline check(b)
{
    assert(kind[b] != USED || cell[b] == 1)
}

inline allocate(b)
{
#ifdef O9_LENT_STAYS_IN_ITS_BIN
    if
    :: kind[b] != USED ->
#else
    if
    :: kind[b] == FREE ->
#endif
        kind[b] = USED;
        dirty[b] = 1;
        cell[b] = 1
    :: else
    fi
}

inline give(b)
{
    if
    :: kind[b] == USED -> check(b); kind[b] = FREE
    :: else
    fi
}

inline lend(b)
{
    if
    :: kind[b] == FREE && dirty[b] -> kind[b] = LENT; dirty[b] = 0; ranges[b] = 1; out = 1
    :: else
    fi
}

inline take_back(b)
{
    if
    :: ranges[b] ->
        assert(cell[b] == 0);
        ranges[b] = 0;
        if
        :: kind[b] == LENT -> kind[b] = FREE
        :: else
        fi
    :: else
    fi
}

proctype mutator()
{
    byte commands, b;
    bit out;

    do
    :: commands < COMMANDS ->
        atomic { commands++; if :: b = 0 :: b = 1 :: b = 2 fi };
        if
        :: true -> allocate(b)
        :: true -> give(b)
        fi;
        check(0); check(1); check(2)
    :: !out ->
        lend(0); lend(1); lend(2);
        if
        :: out -> posted++ /* O-9 mutator */
        :: else
        fi
#ifdef O9_TAKEN_BACK_AT_ONCE
    :: out ->
#else
    :: atomic { out && done > 0 -> done-- } /* O-9 mutator: also as recall, which waits for it */
#endif
        take_back(0); take_back(1); take_back(2);
        out = 0
    :: commands == COMMANDS && !out ->
        assert(done == 0 && posted == 0);
        check(0); check(1); check(2);
        stop = 1;
        posted++;
        break
    od
}

/* ---- the discarder ---- */

inline discard(b)
{
    if
    :: ranges[b] -> cell[b] = 0
    :: else
    fi
}

proctype discarder()
{
    do
    :: atomic { posted > 0 -> posted-- }; /* O-9 discarder */
        if
        :: stop -> break
        :: else
        fi;
#ifdef O9_DONE_BEFORE_DISCARD
        done++;
        discard(0); discard(1); discard(2)
#else
        discard(0); discard(1); discard(2);
        done++ /* O-9 discarder */
#endif
    od
}

init
{
    atomic {
        run mutator();
        run discarder()
    }
}
