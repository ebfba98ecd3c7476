/* page.pml - one page word against one view: O-1, O-2, O-3, O-6 and C2 on memory weaker than TSO.
 *
 * Two record pages of two bytes, each a slab of its own; a pool of images; a writer (the mutator,
 * whose stores go through weak.pmh) and a reader (the sweep), which reads page 0, marks it swept,
 * reads page 1, marks it swept.  A command changes one byte of one page, or of both after a barrier
 * over both.  Loads of the reader that nothing orders happen in any order.
 * Property: what view_read() returns without an error is what was there at the cut, each byte. */

#ifndef WRITES
#define WRITES 3 /* commands */
#endif
#define IMAGES 2

#define BYTE(p, j)  ((p) * 2 + (j))
#define WORD(p)     (4 + (p)) /* 0: an earlier epoch; i + 1: this epoch, image i */
#define IMAGE(i, j) (6 + (i) * 2 + (j))
#define BROKEN      (6 + IMAGES * 2)
#define LOCATIONS   (BROKEN + 1)

#include "weak.pmh"

#define ONE_PAGE 4 /* stores of a command on one page: two bytes of the image, the word, the byte */
#define AT_CUT(p, j) (1 + BYTE(p, j)) /* what a byte holds at the cut: no two alike */
#define CHANGED      9

/* Store-release is a step of its own behind the reads (O-3); the mutator may see it later still. */
byte swept_stored; /* [sweep] pages below this one are marked swept */
byte swept_seen;   /* what the mutator's load-acquire gives */

/* ---- the variants ---- */

#ifdef O1_WRITER_RELAXED /* the word is stored without release */
#define WORD_ORDER RELAXED
#else
#define WORD_ORDER RELEASE
#endif

#ifdef O2_NO_READER_FENCE /* no acquire fence between the bytes and the second look at the word */
#define BYTES_READ true
#else
#define BYTES_READ ((todo & 3) == 0)
#endif

/* ---- the mutator ---- */

byte own_byte[4];  /* what the writer knows of its own stores */
byte own_word[2];
bit image_used[IMAGES];
bit settled[2];

inline page_copy(p)
{
    put(IMAGE(image, 0), own_byte[BYTE(p, 0)], RELAXED);
    put(IMAGE(image, 1), own_byte[BYTE(p, 1)], RELAXED)
}

inline page_publish(p)
{
    put(WORD(p), image + 1, WORD_ORDER); /* O-1 writer */
    own_word[p] = image + 1
}

/* An image is there or, at any time, there is no memory for one. */
inline image_get()
{
    if
    :: !image_used[0] -> image = 0; image_used[0] = 1
    :: image_used[0] && !image_used[1] -> image = 1; image_used[1] = 1
    :: image = IMAGES
    fi
}

#define NEEDS_IMAGE(p) (own_word[p] == 0 && swept_seen <= (p)) /* O-3 mutator: swept is read here */

inline page_preserve(p)
{
    if
    :: NEEDS_IMAGE(p) ->
        image_get();
        if
        :: image < IMAGES ->
#ifdef O1_PUBLISH_BEFORE_COPY
            page_publish(p); page_copy(p)
#else
            page_copy(p);
#ifdef O2_PUBLISH_AFTER_WRITE
            late = late | (1 << p); late_image[p] = image
#else
            page_publish(p)
#endif
#endif
        :: else ->
#ifdef C2_BROKEN_AFTER_WRITE
            late_broken = 1
#else
            put(BROKEN, 1, RELAXED) /* C2: the mark before the write */
#endif
        fi;
        image = 0
    :: else
    fi
}

inline change(p)
{
    put(BYTE(p, j), CHANGED, RELAXED);
    own_byte[BYTE(p, j)] = CHANGED
}

inline late_publish(p)
{
    if
    :: late & (1 << p) -> image = late_image[p]; page_publish(p); image = 0; late_image[p] = 0
    :: else
    fi
}

/* A command is one atomic step: its stores go to the buffer only, and a store that is made later is
 * one that stays there longer.  So nothing is lost as long as the buffer has room for the whole
 * command. */
inline command()
{
    if :: j = 0 :: j = 1 fi;
    if :: pages & 1 -> page_preserve(0) :: else fi;
    if :: pages & 2 -> page_preserve(1) :: else fi;
#ifndef O2_NO_WRITER_FENCE
    fence_release(); /* O-2 writer */
#endif
    if :: pages & 1 -> change(0) :: else fi;
    if :: pages & 2 -> change(1) :: else fi;
#ifdef O2_PUBLISH_AFTER_WRITE
    fence_release();
    late_publish(0);
    late_publish(1);
    late = 0;
#endif
#ifdef C2_BROKEN_AFTER_WRITE
    fence_release();
    if :: late_broken -> put(BROKEN, 1, RELAXED); late_broken = 0 :: else fi;
#endif
    pages = 0; j = 0
}

/* A swept slab's image goes back to the pool and may be filled again at once. */
inline settle(p)
{
    swept_seen > p && own_word[p] != 0 && !settled[p] -> settled[p] = 1; image_used[own_word[p] - 1] = 0
}

proctype mutator()
{
    byte n, pages, j, image;
#ifdef O2_PUBLISH_AFTER_WRITE
    byte late, late_image[2];
#endif
#ifdef C2_BROKEN_AFTER_WRITE
    bit late_broken;
#endif
    do
    :: atomic { n < WRITES && wb_size + ONE_PAGE <= CAP -> n++; if :: pages = 1 :: pages = 2 fi; command() }
    :: atomic { n < WRITES && wb_size + 2 * ONE_PAGE <= CAP -> n++; pages = 3; command() }
    :: atomic { settle(0) }
    :: atomic { settle(1) }
    :: n == WRITES -> break
    od
}

active proctype swept_becomes_visible()
{
end:
    do
    :: atomic { swept_seen < swept_stored -> swept_seen++ }
    od
}

/* ---- the sweep ---- */

inline load_image(i)
{
    if
    :: a = mem[IMAGE(i, 0)]; b = mem[IMAGE(i, 1)]
    :: b = mem[IMAGE(i, 1)]; a = mem[IMAGE(i, 0)]
    fi
}

/* A word and, if it names an image, the image.  Without acquire the image may be read before the
 * word that names it (speculated): guess, load, then see whether the guess was right. */
inline load_word_and_image(p, acquire)
{
    if
    :: acquire ->
        w = mem[WORD(p)]; /* O-1 reader */
        if
        :: w != 0 -> load_image(w - 1)
        :: else
        fi
    :: !acquire ->
        if :: guess = 0 :: guess = 1 fi;
        x = mem[IMAGE(guess, 0)];
        y = mem[IMAGE(guess, 1)];
        w = mem[WORD(p)];
        if
        :: w == guess + 1 -> a = x; b = y
        :: w != 0 && w != guess + 1 -> load_image(w - 1)
        :: else
        fi;
        guess = 0; x = 0; y = 0
    fi
}

#ifdef O1_FIRST_LOAD_RELAXED
#define FIRST_ACQUIRE 0
#else
#define FIRST_ACQUIRE 1
#endif
#ifdef O1_SECOND_LOAD_RELAXED
#define SECOND_ACQUIRE 0
#else
#define SECOND_ACQUIRE 1
#endif

/* Bytes in any order, the word after them: bit 0, 1: the bytes; bit 2: the second look at the
 * word. */
inline copy_live(p)
{
    todo = 7;
    do
    :: todo & 1 -> a = mem[BYTE(p, 0)]; todo = todo & 6
    :: todo & 2 -> b = mem[BYTE(p, 1)]; todo = todo & 5
    :: (todo & 4) && BYTES_READ && SECOND_ACQUIRE -> w = mem[WORD(p)]; todo = todo & 3 /* O-2 reader */
    :: (todo & 3) == 0 && (todo & 4) && !SECOND_ACQUIRE -> load_word_and_image(p, 0); todo = 0
    :: todo == 0 -> break
    od;
    if
    :: SECOND_ACQUIRE && w != 0 -> load_image(w - 1)
    :: else
    fi
}

inline view_read(p)
{
#ifdef O3_SWEPT_BEFORE_READ /* what a relaxed store of swept amounts to: loads may happen after it */
    if :: swept_stored = p + 1 :: skip fi;
#endif
#ifdef O6_BROKEN_READ_FIRST
    broken = mem[BROKEN];
#endif
    load_word_and_image(p, FIRST_ACQUIRE);
    if
    :: w == 0 ->
#ifdef O2_NO_SECOND_LOOK
        a = mem[BYTE(p, 0)]; b = mem[BYTE(p, 1)]
#else
        copy_live(p)
#endif
    :: else
    fi;
#ifndef O6_BROKEN_READ_FIRST
    broken = mem[BROKEN]; /* O-6 reader */
#endif
    if
    :: broken -> goto done /* the save has failed; what was copied is not used */
    :: else -> assert(a == AT_CUT(p, 0) && b == AT_CUT(p, 1))
    fi;
    w = 0; a = 0; b = 0;
    swept_stored = p + 1 /* O-3 sweep */
}

proctype sweep()
{
    byte w, a, b, todo, guess, x, y;
    bit broken;

    view_read(0);
    view_read(1);
done:
    skip
}

init
{
    atomic {
        mem[0] = AT_CUT(0, 0); own_byte[0] = AT_CUT(0, 0);
        mem[1] = AT_CUT(0, 1); own_byte[1] = AT_CUT(0, 1);
        mem[2] = AT_CUT(1, 0); own_byte[2] = AT_CUT(1, 0);
        mem[3] = AT_CUT(1, 1); own_byte[3] = AT_CUT(1, 1);
        run mutator();
        run sweep()
    }
}
