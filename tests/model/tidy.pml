/* tidy.pml - free memory that goes back through another thread: TD1, O-9.
 *
 * Three blocks of one byte.  Two threads: the mutator, which allocates, writes and frees blocks,
 * lends dirty free ones and takes them back, and has clean free ones fetched; the discarder, which
 * makes what is lent zero and fetches what is wanted, a block a step.  One memory, each load and
 * store a step: the semaphores are full barriers.
 * Property: a block in use holds what was written to it; a job is done once and by one thread; when
 * all is taken back, every block that was on loan is clean and without memory (W2). */

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
bit memory[BLOCKS];
bit ranges[BLOCKS];
bit wanted[BLOCKS]; /* the warmer's job */
bit fetching;       /* it is posted, or worked on: O-12 */

/* The two semaphores. */
byte posted;
byte done;
bit has_job;
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
        atomic { memory[b] = 1; cell[b] = 1 }
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
        assert(cell[b] == 0 && memory[b] == 0);
        ranges[b] = 0;
        if
        :: kind[b] == LENT -> kind[b] = FREE
        :: else
        fi
    :: else
    fi
}

/* Any clean free block is fetched, and counts as dirty from then on. */
inline want(b)
{
    if
    :: kind[b] == FREE && !dirty[b] -> dirty[b] = 1; wanted[b] = 1
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
        :: !fetching ->
            want(b);
            if
            :: wanted[b] -> fetching = 1; posted++ /* O-12 mutator */
            :: else
            fi
        fi;
        check(0); check(1); check(2)
    :: !out ->
        lend(0); lend(1); lend(2);
        if
        :: out -> has_job = 1; posted++ /* O-9 mutator */
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
        assert(done == 0);
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
    :: ranges[b] -> atomic { memory[b] = 0; cell[b] = 0 }
    :: else
    fi
}

inline fetch(b)
{
    if
    :: wanted[b] ->
#ifdef O12_TOUCH_IN_TWO_STEPS
        byte_of = cell[b];
        atomic { memory[b] = 1; cell[b] = byte_of }
#else
        memory[b] = 1
#endif
    :: else
    fi;
    wanted[b] = 0
}

inline fetch_all()
{
    if
    :: fetching -> fetch(0); fetch(1); fetch(2); fetching = 0 /* O-12 worker */
    :: else
    fi
}

proctype discarder()
{
    bit job, byte_of;

    do
    :: atomic { posted > 0 -> posted-- };
        if
        :: stop -> break
        :: else
        fi;
#ifdef O12_FETCH_BEFORE_THE_LOOK
        fetch_all();
        atomic { job = has_job; has_job = 0 }
#else
        atomic { job = has_job; has_job = 0 } /* O-9 discarder */
        fetch_all();
#endif
        if
        :: job ->
#ifdef O9_DONE_BEFORE_DISCARD
            done++;
            discard(0); discard(1); discard(2)
#else
            discard(0); fetch_all(); discard(1); fetch_all(); discard(2);
            done++ /* O-9 discarder */
#endif
        :: else
        fi;
        job = 0
    od
}

init
{
    atomic {
        run mutator();
        run discarder()
    }
}
