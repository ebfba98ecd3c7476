/* server/scripts/function.c - the functions that clients call, and the libraries that hold them:
 * how they change, all at once or not at all (FN1). */
#include "server/scripts/function.h"

#include <errno.h>
#include <string.h>

#include "mm/base/log.h"
#include "mm/base/must.h"
#include "mm/base/os.h"
#include "server/data/db/carried.h"
#include "server/data/db/db.h"
#include "server/data/db/dump.h"
#include "server/net/client.h"
#include "server/scripts/library.h"
#include "server/scripts/scripts_impl.h"
#include "snapshot/rdb/rdb.h"

enum {
    LOAD_MS = 500,  /* so long may a library take that a client brings, as in Redis */
    READ_MS = 10000 /* and one of a dump, which has been loaded before */
};

static const char no_memory[] = "OOM no memory to change the function libraries";

/* Those of carried.h that can be used. */
static struct library_set set;

/* ---- sets ---- */

struct library *
library_set_find(const struct library_set *s, struct slice name)
{
    return (struct library *)(void *)nametab_find(&s->libraries, nametab_hash(name), name);
}

struct function *
library_set_function(const struct library_set *s, struct slice name)
{
    char lower[FUNCTION_NAME_MAX];
    struct slice key = {lower, name.len};

    if (name.len > sizeof lower)
        return NULL;
    function_lower(lower, name);
    return (struct function *)(void *)nametab_find(&s->functions, nametab_hash(key), key);
}

void
function_lower(char *to, struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        to[i] = (char)(name.ptr[i] >= 'A' && name.ptr[i] <= 'Z' ? name.ptr[i] + 32 : name.ptr[i]);
}

static void
drop_one(void *ctx, struct nametab_node *n)
{
    library_drop(ctx, (struct library *)(void *)n);
}

static void
set_clear(struct library_set *s)
{
    nametab_each(&s->libraries, drop_one, s);
    must(s->libraries.count == 0 && s->functions.count == 0 && s->bytes == 0);
}

struct pouring {
    struct nametab *from, *to;
};

static void
pour_one(void *ctx, struct nametab_node *n)
{
    const struct pouring *p = ctx;

    nametab_remove(p->from, n);
    must(nametab_add(p->to, n)); /* its buckets are there */
}

/* pour: all nodes of one table into another, which has none of their names.  It does not fail. */
static void
pour(struct nametab *from, struct nametab *to)
{
    struct pouring p = {.from = from, .to = to};

    if (to->count > 0) {
        nametab_each(from, pour_one, &p);
        return;
    }
    *to = *from;
    *from = (struct nametab){.count = 0};
}

/* ---- calls ---- */

const struct function *
function_find(struct slice name)
{
    return library_set_function(&set, name);
}

void
function_run(struct client *c, const struct function *f, int key_count, bool readonly)
{
    const struct run_task task = {.engine = ENGINE_FUNCTIONS,
                                  .name = f->name,
                                  .flags = f->flags,
                                  .function = f->function,
                                  .key_count = key_count,
                                  .readonly = readonly};

    run_task(c, &task);
}

bool
function_running(struct function_call *ret)
{
    const struct run *run = run_now();

    if (run == NULL || run->task->engine != ENGINE_FUNCTIONS)
        return false;
    *ret = (struct function_call){.name = run->task->name,
                                  .caller = run->caller,
                                  .ms = (os_monotonic_ns() - run->begin_ns) / 1000000};
    return true;
}

/* ---- changes ---- */

/* What is to become of the set.  The draft has the texts of the libraries that were made, in their
 * order. */
struct change {
    struct library_set made;
    enum library_policy policy;
    struct carried *draft;     /* [owned] */
    struct library_error *why; /* what is wrong with it; empty: nothing is */
};

static bool
has_failed(const struct change *ch)
{
    return ch->why->text[0] != '\0';
}

static void
begin(struct change *ch, size_t most)
{
    if ((ch->draft = carried_draft(ch->policy != LIBRARY_FLUSH, most)) == NULL)
        library_fail(ch->why, "%s", no_memory);
}

/* write_down: a library that was made. */
static void
write_down(struct change *ch, const struct library *l)
{
    int r = carried_put(ch->draft, l->by_name.name, l->code);

    if (r == -E2BIG)
        library_fail(ch->why, "ERR there would be more than %d function libraries and AUX fields",
                     RDB_CARRIED_MOST);
    else if (r < 0)
        library_fail(ch->why, "%s", no_memory);
}

/* object_to_library: its name is another one's. */
static void
object_to_library(void *ctx, struct nametab_node *n)
{
    const struct change *ch = ctx;

    if (!has_failed(ch) && carried_has_library(n->name))
        library_fail(ch->why, "ERR Library %.*s already exists", slice_shown(n->name), n->name.ptr);
}

/* object_to_function: its name is that of one whose library stays. */
static void
object_to_function(void *ctx, struct nametab_node *n)
{
    const struct function *f = (struct function *)(void *)n, *other;
    const struct change *ch = ctx;

    other = (struct function *)(void *)nametab_find(&set.functions, n->hash, n->name);
    if (!has_failed(ch) && other != NULL &&
        library_set_find(&ch->made, other->library->by_name.name) == NULL)
        library_fail(ch->why, "ERR Function %s already exists", f->name);
}

static void
take_place(void *ctx, struct nametab_node *n)
{
    struct library *old = library_set_find(&set, n->name);

    (void)ctx;
    ((struct library *)(void *)n)->code.ptr = NULL; /* it was the client's */
    if (old != NULL)
        library_drop(&set, old);
}

/* commit: the libraries that were made are those that there are, beside the others.  It does not
 * fail. */
static void
commit(struct change *ch)
{
    carried_adopt(ch->draft);
    if (ch->policy == LIBRARY_FLUSH)
        set_clear(&set);
    nametab_each(&ch->made.libraries, take_place, NULL);
    pour(&ch->made.libraries, &set.libraries);
    pour(&ch->made.functions, &set.functions);
    set.bytes += ch->made.bytes;
    set.code_bytes += ch->made.code_bytes;
    db_state.dirty++;
}

/* tidy: what no library needs any more. */
static void
tidy(void)
{
    if (set.libraries.count == 0)
        engine_close(ENGINE_FUNCTIONS);
    else
        engine_tidy(ENGINE_FUNCTIONS);
}

/* finish: all of it, or nothing. */
static bool
finish(struct change *ch)
{
    bool good;

    if (ch->policy == LIBRARY_APPEND)
        nametab_each(&ch->made.libraries, object_to_library, ch);
    if (ch->policy != LIBRARY_FLUSH)
        nametab_each(&ch->made.functions, object_to_function, ch);
    good = !has_failed(ch);
    if (good) {
        commit(ch);
    } else {
        carried_drop(ch->draft);
        set_clear(&ch->made);
    }
    tidy();
    return good;
}

bool
library_load(struct slice code, bool replace, struct library_error *why, struct slice *ret_name)
{
    struct change ch = {.policy = replace ? LIBRARY_REPLACE : LIBRARY_APPEND, .why = why};
    struct library *l = library_begin(&ch.made, code, why);

    if (l != NULL && !replace && carried_has_library(l->by_name.name))
        library_fail(why, "ERR Library '%s' already exists", l->name);
    if (l != NULL && !has_failed(&ch) && library_fill(&ch.made, l, LOAD_MS, why)) {
        begin(&ch, 1);
        if (!has_failed(&ch))
            write_down(&ch, l);
    }
    if (!finish(&ch) || l == NULL)
        return false;
    *ret_name = l->by_name.name;
    return true;
}

/* restore_one: false: it cannot be made. */
static bool
restore_one(void *ctx, struct slice code)
{
    struct change *ch = ctx;
    struct library *l = library_begin(&ch->made, code, ch->why);

    if (l != NULL && library_fill(&ch->made, l, LOAD_MS, ch->why))
        write_down(ch, l);
    return !has_failed(ch);
}

bool
library_restore(struct slice payload, enum library_policy policy, struct library_error *why)
{
    struct change ch = {.policy = policy, .why = why};
    struct rdb_error err = {.text = ""};
    int r;

    if (!dump_check(payload)) {
        library_fail(why, "ERR DUMP payload version or checksum are wrong");
        return false;
    }
    begin(&ch, RDB_CARRIED_MOST);
    if (has_failed(&ch))
        return false;
    r = dump_read_libraries(payload, restore_one, &ch, &err);
    if (r == -ENOMEM)
        library_fail(why, "%s", no_memory);
    else if (r == -ENOTSUP)
        library_fail(why, "ERR given type is not a function");
    else if (r < 0 && !has_failed(&ch))
        library_fail(why, "ERR Failed loading library payload: %s", err.text);
    return finish(&ch);
}

bool
library_delete(struct slice name, struct library_error *why)
{
    struct library *l = library_set_find(&set, name);
    struct carried *draft = carried_draft(true, 0);

    if (draft == NULL || !carried_remove(draft, name)) {
        library_fail(why, "%s", draft == NULL ? no_memory : "ERR Library not found");
        carried_drop(draft);
        return false;
    }
    carried_adopt(draft);
    if (l != NULL)
        library_drop(&set, l);
    db_state.dirty++;
    tidy();
    return true;
}

bool
library_flush(struct library_error *why)
{
    struct carried *draft = carried_draft(false, 0);

    if (draft == NULL) {
        library_fail(why, "%s", no_memory);
        return false;
    }
    carried_adopt(draft);
    set_clear(&set);
    db_state.dirty++;
    tidy();
    return true;
}

/* ---- libraries of a dump ---- */

static void
read_one(void *ctx, struct slice name, struct slice code)
{
    struct library_error why = {.text = ""};
    struct library *l = library_begin(&set, code, &why);

    (void)ctx;
    if (l != NULL && library_fill(&set, l, READ_MS, &why)) {
        l->code.ptr = NULL;
        return;
    }
    log_line(
        LOG_WARNING,
        "The function library \"%.*s\" cannot be used here, and its functions cannot be called: %s. It is kept as it is, for the next save.",
        slice_shown(name), name.ptr, why.text);
}

void
libraries_read(void)
{
    set_clear(&set);
    engine_close(ENGINE_FUNCTIONS);
    carried_each(read_one, NULL);
    if (set.libraries.count > 0)
        log_line(LOG_NOTICE, "Function libraries loaded: %llu, with %llu functions",
                 (unsigned long long)set.libraries.count, (unsigned long long)set.functions.count);
}

/* ---- what there is ---- */

struct visit {
    void (*fn)(void *ctx, const struct library_info *l);
    void *ctx;
};

static void
visit_one(void *ctx, struct slice name, struct slice code)
{
    const struct visit *v = ctx;
    const struct library_info info = {
        .name = name, .code = code, .library = library_set_find(&set, name)};

    v->fn(v->ctx, &info);
}

void
libraries_each(void (*fn)(void *ctx, const struct library_info *l), void *ctx)
{
    struct visit v = {.fn = fn, .ctx = ctx};

    carried_each(visit_one, &v);
}

size_t
library_functions(const struct library *l)
{
    return l->count;
}

void
library_each_function(const struct library *l, void (*fn)(void *ctx, const struct function_info *f),
                      void *ctx)
{
    for (const struct function *f = l->first; f != NULL; f = f->next) {
        const struct function_info info = {.name = {f->name, f->by_name.name.len},
                                           .description = f->description,
                                           .has_description = f->has_description,
                                           .flags = f->flags};

        fn(ctx, &info);
    }
}

void
function_figures(struct function_figures *ret)
{
    struct carried_sum carried = carried_sum();

    *ret = (struct function_figures){
        .vm_bytes = engine_bytes(ENGINE_FUNCTIONS),
        .cache_bytes = set.bytes + nametab_bytes(&set.libraries) + nametab_bytes(&set.functions),
        .libraries = (size_t)carried.libraries,
        .functions = (size_t)set.functions.count,
        .unusable = (size_t)(carried.libraries - set.libraries.count),
        .unusable_bytes = (size_t)carried.library_bytes - set.code_bytes};
}
