/* sweep.pml - the sweep beside everything that a command does to records and values, over two cuts:
 * S1, S2, S4, V1, V2, O-3, O-7.
 *
 * Four blocks of two slots; a block is one page.  At the first cut key A has a value block of its
 * own, key B holds its value itself, key C does not exist, and each block has room.  The mutator
 * sets, deletes, renames, changes in place and settles; while a cut is open it allocates from
 * blocks of the cut, too, wherever a slot was free (S3).  The sweep reads block by block.  What
 * orders the bytes of one page is page.pml's subject: here each load and each store is one step of
 * one memory.  With SWEEPERS=2 two threads share the sweep (S4).
 * Property: each sweep gives each key of its cut once, with the value it had at the cut, and no
 * other key; it reads no block that is free and no image that holds another page. */

#ifndef COMMANDS
#define COMMANDS 3
#endif
#ifdef WHOLE_STEPS /* a command is one step, and so is a view_read: longer histories, fewer interleavings */
#define WHOLE atomic
#else
#define WHOLE
#endif
#ifndef SWEEPERS
#define SWEEPERS 1
#endif
#ifndef CUTS
#define CUTS   2
#endif
#define BLOCKS 4
#define CELLS  8
#define IMAGES 3
#define NONE   255

#define BLOCK(c) ((c) >> 1)
#define BIT(c)   (1 << ((c) & 1))

/* A block's word: kind and birth epoch in one (O-7). A free block keeps its last birth. */
#define FREE   0
#define RECORD 1
#define VALUE  2
#define BORN(kind, e) ((kind) << 4 | (e))
#define KIND(w)  ((w) >> 4)
#define BIRTH(w) ((w) & 15)

/* A record: its key (1..3) and a stamp, or the cell of its value. A value cell: a stamp. Only one
 * thing matters of a value: is it the one at the cut? So at each cut the value of key k is renamed
 * to stamp k, wherever it stands, and whatever is written from then on is NEW. */
#define NEW 4
#define INLINE(key, stamp) ((key) << 5 | (stamp))
#define POINTER(key, c)    ((key) << 5 | 16 | (c))
#define KEY(r)         ((r) >> 5)
#define HAS_VALUE(r)   ((r) & 16)
#define VALUE_CELL(r)  ((r) & 15)
#define STAMP(r)       ((r) & 15)

/* A page's word: epoch and image. */
#define PRESERVED(e, i) ((e) << 4 | (i))
#define EPOCH(w) ((w) >> 4)
#define INDEX(w) ((w) & 15)

byte cell[CELLS];
byte page[BLOCKS];
byte block[BLOCKS];
byte used[BLOCKS];
byte swept[BLOCKS];
byte image[IMAGES * 2];
byte image_page[IMAGES]; /* which page it holds, plus one; 0: free */
byte epoch = 1;

byte go;   /* start message: the cut's number */
byte done; /* end message */
byte claim;         /* S4: the next block that nobody has claimed */
byte sweepers_left; /* O-10 */
byte at_cut[4];
byte out[4];

/* ---- the mutator's own ---- */

byte changed[BLOCKS]; /* S3: with the bit of used set, the slot is retired; without it, born */
byte table[4]; /* by key: its record's cell plus one */
bit cut_open;

#define BORN_NOW(b)       (BIRTH(block[b]) == epoch)
#define IS_SWEPT(b)       (swept[b] == epoch) /* O-3, load-acquire */
#define FROZEN_RECORD(b)  (cut_open && !BORN_NOW(b) && !IS_SWEPT(b))
#define FROZEN_VALUE(b)   (cut_open && !BORN_NOW(b))
#define FROZEN(b)         (KIND(block[b]) == RECORD -> FROZEN_RECORD(b) : FROZEN_VALUE(b))
#define TAKEN(b)          (used[b] | changed[b])
#define IS_BORN(c)        (changed[BLOCK(c)] & ~used[BLOCK(c)] & BIT(c))

/* ---- variants ---- */

#ifdef S1_STALE_RETIRED /* a cut while bits of the last one are left */
#define READY true
#else
#define READY (changed[0] == 0 && changed[1] == 0 && changed[2] == 0 && changed[3] == 0) /* S1 */
#endif
#ifdef S2_BORN_INTO_USED /* the sweep's own bitmap gets the bit of a new slot */
#define BIRTH_IN_CHANGED(b) false
#else
#define BIRTH_IN_CHANGED(b) FROZEN(b)
#endif
#ifdef S3_BORN_INTO_RETIRED /* what was freed counts as free */
#define FULL(b) (used[b] ^ changed[b])
#else
#define FULL(b) TAKEN(b)
#endif
#ifdef S3_BORN_IS_FORGOTTEN /* settling takes the retired away and does not make the born ones used */
#define SETTLED(b) (used[b] & ~changed[b])
#else
#define SETTLED(b) (used[b] ^ changed[b])
#endif
#ifdef S3_BORN_BY_PAGE /* no barrier for a page with a born slot */
#define NEEDS_NONE(c) (changed[BLOCK(c)] & ~used[BLOCK(c)])
#else
#define NEEDS_NONE(c) IS_BORN(c)
#endif
#ifdef V1_FREE_EARLY /* a value goes with its record, not with the cut */
#define RETIRE_VALUE(b) false
#else
#define RETIRE_VALUE(b) FROZEN_VALUE(b)
#endif
#ifdef V2_OWNER_SHORTCUT /* "the record that owns it is newborn or swept, so nobody will look at the value" */
#define PRESERVE_VALUE(b, owner) (FROZEN_VALUE(b) && FROZEN_RECORD(owner))
#else
#define PRESERVE_VALUE(b, owner) FROZEN_VALUE(b)
#endif

#ifdef S4_FIRST_ENDS /* who is done says that all are */
#define ENDS(left) true
#else
#define ENDS(left) ((left) == 0)
#endif

#ifdef O7_TWO_WORDS /* the kind, and only then the birth */
#define BIRTH_NOW(c) BIRTH(block[BLOCK(c)])
#else
#define BIRTH_NOW(c) epoch
#endif

/* ---- allocate, free, preserve ---- */

#define FIRST_FREE(c) (((c) & 1) == 0 || (FULL(BLOCK(c)) & 1))
#define ROOM(kind, c) (FIRST_FREE(c) && !(FULL(BLOCK(c)) & BIT(c)) && KIND(block[BLOCK(c)]) == kind)
/* A free block is born with its first slot. The slots of a block are alike: the first free one will
 * do. */
#define PICK(kind, c) (ROOM(kind, c) || (KIND(block[BLOCK(c)]) == FREE && ((c) & 1) == 0))

/* to: a slot of that kind, any; NONE if there is no room. */
inline mm_alloc(kind, to)
{
    atomic {
        if
        :: PICK(kind, 0) -> to = 0
        :: PICK(kind, 1) -> to = 1
        :: PICK(kind, 2) -> to = 2
        :: PICK(kind, 3) -> to = 3
        :: PICK(kind, 4) -> to = 4
        :: PICK(kind, 5) -> to = 5
        :: PICK(kind, 6) -> to = 6
        :: PICK(kind, 7) -> to = 7
        :: else -> to = NONE
        fi;
        if
        :: to != NONE && KIND(block[BLOCK(to)]) == FREE -> block[BLOCK(to)] = BORN(kind, BIRTH_NOW(to)) /* O-7 */
        :: else
        fi
    };
#ifdef O7_TWO_WORDS
    if
    :: to != NONE && used[BLOCK(to)] == 0 -> block[BLOCK(to)] = BORN(kind, epoch)
    :: else
    fi;
#endif
    if
    :: to != NONE && BIRTH_IN_CHANGED(BLOCK(to)) -> changed[BLOCK(to)] = changed[BLOCK(to)] | BIT(to) /* S3 */
    :: to != NONE && !BIRTH_IN_CHANGED(BLOCK(to)) -> used[BLOCK(to)] = used[BLOCK(to)] | BIT(to)
    :: else
    fi
}

inline block_free_if_empty(b)
{
    if
    :: TAKEN(b) == 0 -> block[b] = BORN(FREE, BIRTH(block[b]))
    :: else
    fi
}

inline mm_free(c, retire)
{
    if
    :: IS_BORN(c) -> /* S3: nobody at the cut knew of it */
        changed[BLOCK(c)] = changed[BLOCK(c)] & ~BIT(c);
        cell[c] = 0;
        block_free_if_empty(BLOCK(c))
    :: !IS_BORN(c) && retire ->
#ifdef S2_FREE_CLEARS_USED
        used[BLOCK(c)] = used[BLOCK(c)] & ~BIT(c)
#else
        changed[BLOCK(c)] = changed[BLOCK(c)] | BIT(c);
#ifdef S2_RECLASS /* everything in it is freed, so the block is taken for something else */
        if
        :: used[BLOCK(c)] == changed[BLOCK(c)] ->
            used[BLOCK(c)] = 0;
            changed[BLOCK(c)] = 0;
            block_free_if_empty(BLOCK(c))
        :: else
        fi
#endif
#endif
    :: !IS_BORN(c) && !(retire) ->
        used[BLOCK(c)] = used[BLOCK(c)] & ~BIT(c);
        cell[c] = 0;
        block_free_if_empty(BLOCK(c))
    fi
}

inline free_record(c)
{
    mm_free(c, FROZEN_RECORD(BLOCK(c)))
}

inline free_value(c)
{
    mm_free(c, RETIRE_VALUE(BLOCK(c)))
}

inline free_record_and_value(c)
{
    if
    :: HAS_VALUE(cell[c]) -> v = VALUE_CELL(cell[c]); free_value(v); v = 0
    :: else
    fi;
    free_record(c)
}

/* Without an image the command is not tried: a broken view is page.pml's subject. */
#define IMAGE_LEFT (image_page[0] == 0 || image_page[1] == 0 || image_page[2] == 0)

inline page_preserve(b, needed)
{
    if
    :: needed && EPOCH(page[b]) != epoch ->
        atomic {
            if
            :: image_page[0] == 0 -> i = 0
            :: image_page[0] != 0 && image_page[1] == 0 -> i = 1
            :: image_page[0] != 0 && image_page[1] != 0 -> i = 2
            fi;
            image_page[i] = b + 1;
            image[i * 2] = cell[b * 2];
            image[i * 2 + 1] = cell[b * 2 + 1]
        };
        atomic { page[b] = PRESERVED(epoch, i); i = 0 }
    :: else
    fi
}

/* ---- commands ---- */

/* Switch the pointer in the hash table, which the sweep never reads, and let the old record go. */
inline replace(k, c)
{
    o = table[k];
    table[k] = c + 1;
    if
    :: o != 0 -> free_record_and_value(o - 1)
    :: else
    fi;
    o = 0
}

/* The value goes into the record. */
inline cmd_set(k)
{
    mm_alloc(RECORD, c);
    if
    :: c != NONE -> cell[c] = INLINE(k, NEW); atomic { replace(k, c) }
    :: else
    fi
}

/* The value gets a block. */
inline cmd_set_large(k)
{
    mm_alloc(VALUE, n);
    if
    :: n != NONE ->
        cell[n] = NEW;
        mm_alloc(RECORD, c);
        if
        :: c != NONE -> cell[c] = POINTER(k, n); atomic { replace(k, c) }
        :: else -> atomic { free_value(n) }
        fi
    :: else
    fi
}

inline cmd_del(k)
{
    atomic {
        o = table[k];
        table[k] = 0;
        free_record_and_value(o - 1);
        o = 0
    }
}

/* A new record takes the value over by pointer (V2); what the new name meant before goes. */
inline cmd_rename(k, to)
{
    mm_alloc(RECORD, c);
    if
    :: c != NONE ->
        cell[c] = (to << 5) | (cell[table[k] - 1] & 31);
        atomic {
            replace(to, c);
            o = table[k];
            table[k] = 0;
            free_record(o - 1);
            o = 0
        }
    :: else
    fi
}

/* A record changed in place, behind its barrier. */
inline cmd_modify(k)
{
    c = table[k] - 1;
    page_preserve(BLOCK(c), FROZEN_RECORD(BLOCK(c)) && !NEEDS_NONE(c));
    atomic {
        if
        :: HAS_VALUE(cell[c]) -> v = VALUE_CELL(cell[c]); free_value(v); v = 0
        :: else
        fi;
        cell[c] = INLINE(k, NEW)
    }
}

inline cmd_append(k)
{
    c = table[k] - 1;
    n = VALUE_CELL(cell[c]);
    page_preserve(BLOCK(n), PRESERVE_VALUE(BLOCK(n), BLOCK(c)) && !NEEDS_NONE(n));
    cell[n] = NEW
}

#define EXISTS(k)    (table[k] != 0)
#define HAS_BLOCK(k) (EXISTS(k) && HAS_VALUE(cell[table[k] - 1]))

inline choose_key()
{
    if :: k = 1 :: k = 2 :: k = 3 fi
}

inline command()
{
    if
    :: true -> cmd_set(k)
    :: true -> cmd_set_large(k)
    :: EXISTS(k) -> cmd_del(k)
    :: EXISTS(k) -> cmd_rename(k, (k % 3) + 1)
    :: EXISTS(k) -> cmd_rename(k, ((k + 1) % 3) + 1)
    :: EXISTS(k) && IMAGE_LEFT -> cmd_modify(k)
    :: HAS_BLOCK(k) && IMAGE_LEFT -> cmd_append(k)
    fi
}

/* ---- the settle cursor and the cuts ---- */

#define SETTLES(b) (!cut_open || (KIND(block[b]) == RECORD && IS_SWEPT(b)))
#define HOLDS_IMAGE(b) (cut_open && EPOCH(page[b]) == epoch && image_page[INDEX(page[b])] == (b) + 1)

inline image_free(i)
{
    image_page[i] = 0; image[(i) * 2] = 0; image[(i) * 2 + 1] = 0
}

inline images_free_all()
{
    image_free(0); image_free(1); image_free(2)
}

inline settle(b)
{
    SETTLES(b) && (changed[b] != 0 || HOLDS_IMAGE(b)) ->
    if :: changed[b] & used[b] & 1 -> cell[b * 2] = 0 :: else fi;
    if :: changed[b] & used[b] & 2 -> cell[b * 2 + 1] = 0 :: else fi;
    used[b] = SETTLED(b);
    changed[b] = 0;
#ifdef V1_IMAGES_GO_WITH_SLAB /* a slab's end frees the images of values, too */
    images_free_all();
#else
    if
    :: HOLDS_IMAGE(b) -> image_free(INDEX(page[b]))
    :: else
    fi;
#endif
    block_free_if_empty(b)
}

inline rename_value(k)
{
    if
    :: HAS_BLOCK(k) -> at_cut[k] = k; cell[VALUE_CELL(cell[table[k] - 1])] = k
    :: EXISTS(k) && !HAS_BLOCK(k) -> at_cut[k] = k; cell[table[k] - 1] = INLINE(k, k)
    :: else -> at_cut[k] = 0
    fi
}

/* Epochs are only ever compared for equality with the current one: all earlier ones may be called
 * 1. What fewer names there are for the same thing, the fewer states. */
inline forget_epoch(b)
{
    block[b] = BORN(KIND(block[b]), 1);
    page[b] = 0;
    swept[b] = 0
}

inline cut_begin()
{
    forget_epoch(0); forget_epoch(1); forget_epoch(2); forget_epoch(3);
    epoch++;
    cut_open = 1;
    claim = 0;
    sweepers_left = SWEEPERS;
    rename_value(1); rename_value(2); rename_value(3);
    go++
}

inline cut_end()
{
    assert(out[1] == at_cut[1] && out[2] == at_cut[2] && out[3] == at_cut[3]);
    cut_open = 0;
    images_free_all();
    at_cut[1] = 0; at_cut[2] = 0; at_cut[3] = 0;
    out[1] = 0; out[2] = 0; out[3] = 0
}

proctype mutator()
{
    byte commands, k, c, n, o, v, i;

    do
    :: atomic { !cut_open && go < CUTS && READY -> cut_begin() }
    :: atomic { cut_open && done == go -> cut_end() }
    :: WHOLE { atomic { go > 0 && commands < COMMANDS -> commands++; choose_key() };
               command();
               atomic { k = 0; c = 0; n = 0 } }
    :: atomic { settle(0) }
    :: atomic { settle(1) }
    :: atomic { settle(2) }
    :: atomic { settle(3) }
    :: go == CUTS && !cut_open -> break
    od
}

/* ---- the sweep ---- */

inline load_image(to, c)
{
    assert(image_page[INDEX(w)] == BLOCK(c) + 1);
    to = image[INDEX(w) * 2 + ((c) & 1)]
}

inline view_read(to, c)
{
    w = page[BLOCK(c)];
    if
    :: EPOCH(w) == go + 1 -> atomic { load_image(to, c) }
    :: else ->
        atomic {
            assert(KIND(block[BLOCK(c)]) != FREE && (used[BLOCK(c)] & BIT(c)));
            to = cell[c]
        };
        w = page[BLOCK(c)];
        if
        :: EPOCH(w) == go + 1 -> atomic { load_image(to, c) }
        :: else
        fi
    fi;
    w = 0
}

/* Each load of shared memory is a step, with whatever local work follows from it. */
inline save_record(c)
{
    WHOLE { view_read(r, c) };
    atomic {
        assert(KEY(r) > 0 && out[KEY(r)] == 0);
        if
        :: HAS_VALUE(r) -> x = VALUE_CELL(r)
        :: else -> out[KEY(r)] = STAMP(r)
        fi
    };
    if
    :: HAS_VALUE(r) ->
        WHOLE { view_read(y, x) };
        atomic { out[KEY(r)] = y; x = 0; y = 0 }
    :: else
    fi
}

#define SLOT_IS_USED (used[b] & (1 << s))
#define TO_VISIT     (KIND(block[b]) == RECORD && BIRTH(block[b]) != go + 1) /* O-7 sweep */

proctype sweep()
{
    byte cuts, b, s, w, r, x, y;

idle:
    if
    :: cuts < CUTS && go > cuts
    :: cuts == CUTS -> goto end
    fi;
next_block: skip; /* an atomic step ends here, whatever jumped */
#ifdef S4_CLAIMED_TWICE /* a load and a store, not one step */
    b = claim;
#endif
    atomic { /* who claims a block later finds the same in it, so the first look is part of the step */
#ifndef S4_CLAIMED_TWICE
        b = claim;
#endif
        claim = (b < BLOCKS -> b + 1 : claim);
        if
        :: b >= BLOCKS ->
            b = 0; cuts++;
            sweepers_left--;
            if
            :: ENDS(sweepers_left) -> done = cuts
            :: else
            fi;
            goto idle
        :: b < BLOCKS && !TO_VISIT -> goto next_block
        :: b < BLOCKS && TO_VISIT
        fi;
#ifdef O3_SWEPT_BEFORE_LAST_READ
        swept[b] = go + 1
#endif
    };
next_slot: skip;
    atomic {
        if
        :: s == 2 -> s = 0; swept[b] = go + 1; goto next_block /* O-3 sweep */
        :: s < 2 && !SLOT_IS_USED -> s++; goto next_slot
        :: s < 2 && SLOT_IS_USED
        fi
    };
    save_record(b * 2 + s);
    atomic { r = 0; s++; goto next_slot };
end:
    skip
}

init
{
    atomic {
        block[0] = BORN(RECORD, 1);
        used[0] = 1; cell[0] = POINTER(1, 6); table[1] = 1;
        block[2] = BORN(RECORD, 1);
        used[2] = 1; cell[4] = INLINE(2, 2); table[2] = 5;
        block[3] = BORN(VALUE, 1);
        used[3] = 1; cell[6] = 1;
        run mutator();
        run sweep();
#if SWEEPERS == 2
        run sweep()
#endif
    }
}
