/* end.pml - how a snapshot starts and ends: start message, end message, cancel, broken view, grace
 * period, two cuts: C1, C2, C3, O-4, O-5.
 *
 * Two pages, each with one block on it, and two images.  Three threads: the mutator; the sweep,
 * which is RCU's reader (QSBR: quiescent or offline between pages); the call_rcu thread.  One step
 * of one memory for each load and store: the messages and the quiescent states are full barriers,
 * and the rest is page.pml's subject.
 * Property: a sweep that ends with OK gives what was there at its cut, also when a cancel came too
 * late; the sweep reads no freed block and no image of another page or another cut, however it
 * ends; no thread is left waiting. */

#ifndef COMMANDS
#define COMMANDS 3
#endif
#define CUTS  2
#define PAGES 2

#define FREED     0
#define CUT       (epoch - 2) /* the number of the open cut, from 0 */
#define AT_CUT(p) (CUT * PAGES + (p) + 1) /* at each cut the bytes are renamed to this; what is written later is NEW */
#define NEW       15

#define PRESERVED(e, i) ((e) << 4 | (i))
#define EPOCH(w) ((w) >> 4)
#define INDEX(w) ((w) & 15)
#ifdef C3_ANY_WORD /* any image will do, also one of an earlier cut */
#define IS_PRESERVED(w) ((w) != 0)
#else
#define IS_PRESERVED(w) (EPOCH(w) == e)
#endif

byte cell[PAGES];
byte word[PAGES];
byte image[2];
byte image_page[2]; /* which page it holds, plus one; 0: free */
bit broken;

/* Start message: what it carries, and the number of cuts started. */
byte job_epoch;
byte job_pages;
byte go;
bit cancel;

/* End message: what it carries, and the number of sweeps ended. */
#define OK        1
#define FAILED    2
#define CANCELLED 3
byte result[CUTS];
byte ended;

/* For the property alone: what each cut was, and what its sweep read. */
byte at_cut[CUTS * PAGES];
byte out[CUTS * PAGES];

/* ---- RCU (QSBR): a grace period ends when the reader is offline or has seen its number ---- */

#define NO_GRACE   0
#define REQUESTED  1
#define GRACE_OVER 2
byte grace;      /* call_rcu and its callback */
byte gp = 1;     /* number of the grace period */
byte reader;     /* the sweep's: the number it saw last; 0: offline */

#define RCU_OFFLINE() reader = 0

inline rcu_quiescent()
{
    seen = gp;
    atomic { reader = seen; seen = 0 }
}

active proctype call_rcu_thread()
{
end:
    do
    :: atomic { grace == REQUESTED -> gp++ }
       (reader == 0 || reader == gp);
       grace = GRACE_OVER
    od
}

/* ---- the mutator ---- */

inline page_preserve(p)
{
    if
    :: barrier && EPOCH(word[p]) != epoch ->
        if
        :: image_page[0] == 0 -> i = 0
        :: image_page[0] != 0 && image_page[1] == 0 -> i = 1
        :: i = 2 /* no memory */
        fi;
        if
        :: i < 2 ->
            atomic { image[i] = cell[p]; image_page[i] = p + 1 };
            word[p] = PRESERVED(epoch, i)
        :: else -> broken = 1 /* C2 */
        fi;
        i = 0
    :: else
    fi
}

/* Change what is there, free it, or make something new of free memory. */
inline command(p)
{
    if
    :: cell[p] != FREED && !retired[p] -> page_preserve(p); cell[p] = NEW
    :: cell[p] != FREED && !retired[p] ->
        if
        :: cut_open -> retired[p] = 1
        :: else -> cell[p] = FREED
        fi
    :: cell[p] == FREED -> cell[p] = NEW /* of this epoch: nobody looks, so no barrier */
    :: else
    fi
}

inline images_free()
{
    image_page[0] = 0; image_page[1] = 0;
    image[0] = 0; image[1] = 0
}

inline page_at_cut(p)
{
    if
    :: cell[p] != FREED ->
        cell[p] = AT_CUT(p);
        at_cut[CUT * PAGES + p] = AT_CUT(p);
        job_pages = job_pages | (1 << p)
    :: else
    fi
}

inline cut_begin()
{
#ifdef O4_MESSAGE_FIRST /* the sweep is told to start before everything it needs is written */
    go++;
#endif
    d_step {
        epoch++;
        cut_open = 1;
        barrier = 1
    };
    cancel = 0;
    broken = 0;
    d_step {
        job_pages = 0;
        page_at_cut(0);
        page_at_cut(1);
        job_epoch = epoch
    };
#ifndef O4_MESSAGE_FIRST
    go++ /* O-4 mutator */
#endif
}

inline give_back(p)
{
    if
    :: retired[p] -> cell[p] = FREED; retired[p] = 0
    :: else
    fi
}

/* Nobody reads through this cut any more: barrier off, everything goes back. */
inline cut_end()
{
    cut_open = 0;
    barrier = 0;
    images_free();
    give_back(0);
    give_back(1)
}

/* C1: a flag, and a grace period that begins after it. */
inline snapshot_cancel()
{
    cancel = 1;
    cancelled = 1;
#ifdef C1_NO_GRACE
    atomic { cut_end() };
#endif
#ifdef C1_BARRIER_OFF_AT_CANCEL
    barrier = 0;
#endif
#ifdef C3_IMAGES_BACK_AT_CANCEL
    atomic { images_free() };
#endif
#ifndef C1_GRACE_OLDER_THAN_FLAG
    grace = REQUESTED
#endif
}

#ifdef C1_IDLE_WITHOUT_END_MESSAGE /* the grace period is over, so the next cut may begin: it clears the flag */
#define IDLE (!cut_open && !grace_left)
#else
#define IDLE (!cut_open && !grace_left && taken == go)
#endif
#define grace_left (grace != NO_GRACE)

inline take_end_message()
{
    if
    :: result[taken] == OK -> /* O-5 mutator */
        assert(out[taken * PAGES] == at_cut[taken * PAGES] && out[taken * PAGES + 1] == at_cut[taken * PAGES + 1])
    :: else -> assert(result[taken] == FAILED || result[taken] == CANCELLED)
    fi;
    at_cut[taken * PAGES] = 0; at_cut[taken * PAGES + 1] = 0;
    out[taken * PAGES] = 0; out[taken * PAGES + 1] = 0;
    taken++;
    if
    :: !cancelled && grace == NO_GRACE -> grace = REQUESTED
    :: else
    fi
}

proctype mutator()
{
    byte epoch = 1, commands, p, i, taken;
    bit cut_open, barrier, cancelled, retired[PAGES];

    do
    :: IDLE && go < CUTS ->
        cancelled = 0;
        cut_begin();
#ifdef C1_GRACE_OLDER_THAN_FLAG
        grace = REQUESTED
#endif
    :: commands < COMMANDS ->
        atomic { commands++; if :: p = 0 :: p = 1 fi };
        command(p);
        p = 0
    :: cut_open && !cancelled && taken < go -> snapshot_cancel()
    :: atomic { taken < ended -> take_end_message() }
    :: atomic { grace == GRACE_OVER && (cancelled || taken == go) ->
        grace = NO_GRACE;
        cut_end() }
    :: go == CUTS && IDLE && taken == CUTS -> break
    od
}

/* ---- the sweep ---- */

inline load_image(p)
{
    atomic {
        assert(image_page[INDEX(w)] == p + 1);
        r = image[INDEX(w)]
    }
}

inline view_read(p)
{
    w = word[p];
#ifdef C1_QUIESCENT_INSIDE_A_READ
    rcu_quiescent();
#endif
    if
    :: IS_PRESERVED(w) -> load_image(p)
    :: else ->
        atomic { assert(cell[p] != FREED); r = cell[p] };
        w = word[p];
        if
        :: IS_PRESERVED(w) -> load_image(p)
        :: else
        fi
    fi;
    w = 0
}

proctype sweep()
{
    byte cuts, e, pages, p, w, r, seen, how;

idle: /* offline */
    if
    :: go > cuts -> cuts++
    :: cuts == CUTS -> goto end
    fi;
    atomic { e = job_epoch; pages = job_pages }; /* O-4 sweep */
    rcu_quiescent(); /* online */
next:
#ifndef C1_FLAG_BEFORE_QUIESCENT
    if
    :: cancel -> how = CANCELLED; goto out_of_it /* C1: after each quiescent state, before the arena */
    :: else
    fi;
#endif
    if
    :: p == PAGES -> how = OK; goto out_of_it
    :: p < PAGES && (pages & (1 << p)) ->
        view_read(p);
        if
        :: broken -> how = FAILED; goto out_of_it /* O-6 */
        :: else ->
            atomic {
                assert(r == at_cut[(cuts - 1) * PAGES + p]); /* cancelled or not */
                out[(cuts - 1) * PAGES + p] = r;
                r = 0
            }
        fi
    :: else
    fi;
    p++;
#ifdef C1_FLAG_BEFORE_QUIESCENT
    if
    :: cancel -> how = CANCELLED; goto out_of_it
    :: else
    fi;
#endif
    if
    :: rcu_quiescent()
    :: RCU_OFFLINE(); rcu_quiescent() /* a write to the disk in between */
    fi;
    goto next;
out_of_it:
    RCU_OFFLINE();
#ifdef O5_MESSAGE_FIRST
    ended++;
    result[cuts - 1] = how;
#else
    result[cuts - 1] = how;
    ended++; /* O-5 sweep */
#endif
    atomic { p = 0; w = 0; r = 0; how = 0; e = 0; pages = 0 };
    goto idle;
end:
    skip
}

init
{
    atomic {
        cell[0] = NEW;
        cell[1] = NEW;
        run mutator();
        run sweep()
    }
}
