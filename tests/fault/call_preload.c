/* tests/fault/call_preload.c - LD_PRELOAD: the program's own calls of what stands in calls.def fail
 * when they are told to.
 *
 * Each function of the table is a few instructions that ask fault_check() and go on to the true
 * one, or return what the row says.  Calls of libraries are let through: the program is what is
 * tested.  CALL_CONTROL names a file of a struct control, by which the test, that has it mapped
 * too, counts the places from which a function is called, and lets one fail.  Offsets are those of
 * the file of the program. */
#ifdef __x86_64__ /* elsewhere it is empty, and its test is skipped */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FIRST_ARGUMENT = 24 }; /* words from it to what is returned: the code below puts them so */
enum { PLACES = 8192, MINUS = -1, NOTHING = 0, ONE = 1, ERROR = 2 };

struct place {
    _Atomic uint64_t offset; /* behind the call; 0: nobody's */
    _Atomic uint64_t calls;
    char function[64];
};

struct control {
    _Atomic uint32_t is_counting;
    _Atomic uint32_t is_armed;
    uint64_t offset;       /* the place that fails; 0: every place of the function */
    char function[64];     /* "": none */
    int32_t error;         /* errno */
    uint32_t forever;      /* every call from then on */
    _Atomic int64_t left;  /* calls until the first that fails; 1: the next */
    _Atomic uint64_t made; /* failures */
    struct place places[PLACES];
};

struct row {
    const char *name;
    long gives;
    void *next; /* the true one; NULL: not looked up yet */
};

/* What a register holds. */
union word {
    long number;
    void *pointer;
};

static struct control *control; /* NULL: nothing is asked for */
static uintptr_t program, program_end;

static int
take_program(struct dl_phdr_info *info, size_t size, void *ctx)
{
    (void)size;
    (void)ctx;
    program = info->dlpi_addr;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD)
            program_end = program + info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz;
    return 1; /* the first is the program */
}

__attribute__((constructor)) static void
begin(void)
{
    const char *path = getenv("CALL_CONTROL");
    void *at;
    int fd;

    if (path == NULL)
        return;
    fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
    at = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd < 0 || at == MAP_FAILED)
        abort();
    syscall(SYS_close, fd);
    dl_iterate_phdr(take_program, NULL);
    control = at;
}

static void
count(const char *function, uint64_t offset)
{
    for (uint64_t i = offset * 0x9e3779b97f4a7c15u >> 51;; i++) {
        struct place *p = &control->places[i % PLACES];
        uint64_t there = 0;

        if (atomic_compare_exchange_strong(&p->offset, &there, offset))
            strncpy(p->function, function, sizeof p->function - 1);
        else if (there != offset)
            continue;
        atomic_fetch_add(&p->calls, 1);
        return;
    }
}

static int
is_due(const struct row *row, uint64_t offset)
{
    int64_t left;

    if (strcmp(row->name, control->function) != 0 ||
        (control->offset != 0 && control->offset != offset))
        return 0;
    left = atomic_fetch_sub(&control->left, 1);
    return left == 1 || (left < 1 && control->forever);
}

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *p, size_t bytes);

/* find: the true function.  dlsym() itself wants memory. */
static void *
find(const char *name)
{
    void *next = strcmp(name, "malloc") == 0    ? (void *)__libc_malloc
                 : strcmp(name, "calloc") == 0  ? (void *)__libc_calloc
                 : strcmp(name, "realloc") == 0 ? (void *)__libc_realloc
                                                : dlsym(RTLD_NEXT, name);

    if (next == NULL)
        abort();
    return next;
}

/* close_first: what cannot be closed is closed, all the same. */
static void
close_first(const struct row *row, void *what)
{
    int (*next)(void *) = (int (*)(void *))row->next;

    if (strcmp(row->name, "close") == 0 || strcmp(row->name, "fclose") == 0)
        (void)next(what);
}

/* fault_check: does the call fail?  Then *ret is what it returns; its arguments stand below. */
__attribute__((used)) static int
fault_check(struct row *row, uintptr_t from, union word *ret)
{
    int saved = errno;

    if (row->next == NULL) {
        row->next = find(row->name);
        errno = saved;
    }
    if (control == NULL || from < program || from >= program_end)
        return 0;
    if (atomic_load(&control->is_counting))
        count(row->name, from - program);
    if (!atomic_load(&control->is_armed) || !is_due(row, from - program))
        return 0;
    atomic_fetch_add(&control->made, 1);
    close_first(row, ret[-FIRST_ARGUMENT].pointer);
    errno = control->error;
    ret->number = row->gives == ERROR ? control->error : row->gives;
    return 1;
}

#define SURE(why, names)
#define CALL(name, gives, errors, what)                                                            \
    struct row row_##name __attribute__((visibility("hidden"))) = {#name, gives, NULL};            \
    __asm__(".text\n.globl " #name "\n.type " #name ",@function\n" #name ":\n"                     \
            "endbr64\npushq %rbp\nmovq %rsp,%rbp\nsubq $208,%rsp\n"                                \
            "movq %rdi,(%rsp)\nmovq %rsi,8(%rsp)\nmovq %rdx,16(%rsp)\nmovq %rcx,24(%rsp)\n"        \
            "movq %r8,32(%rsp)\nmovq %r9,40(%rsp)\nmovq %rax,48(%rsp)\n"                           \
            "movups %xmm0,64(%rsp)\nmovups %xmm1,80(%rsp)\nmovups %xmm2,96(%rsp)\n"                \
            "movups %xmm3,112(%rsp)\nmovups %xmm4,128(%rsp)\nmovups %xmm5,144(%rsp)\n"             \
            "movups %xmm6,160(%rsp)\nmovups %xmm7,176(%rsp)\n"                                     \
            "leaq row_" #name "(%rip),%rdi\nmovq 8(%rbp),%rsi\nleaq 192(%rsp),%rdx\n"              \
            "call fault_check\ntestl %eax,%eax\njne 1f\n"                                          \
            "movq (%rsp),%rdi\nmovq 8(%rsp),%rsi\nmovq 16(%rsp),%rdx\nmovq 24(%rsp),%rcx\n"        \
            "movq 32(%rsp),%r8\nmovq 40(%rsp),%r9\nmovq 48(%rsp),%rax\n"                           \
            "movups 64(%rsp),%xmm0\nmovups 80(%rsp),%xmm1\nmovups 96(%rsp),%xmm2\n"                \
            "movups 112(%rsp),%xmm3\nmovups 128(%rsp),%xmm4\nmovups 144(%rsp),%xmm5\n"             \
            "movups 160(%rsp),%xmm6\nmovups 176(%rsp),%xmm7\n"                                     \
            "leave\njmp *16+row_" #name "(%rip)\n"                                                 \
            "1: movq 192(%rsp),%rax\nleave\nret\n.size " #name ",.-" #name "\n");
#include "tests/fault/calls.def"
#undef CALL
#undef SURE
#endif
