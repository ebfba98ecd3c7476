/* server/exec/cmd_syntax.c - recursive descent over the notation of exec/cmd_syntax.h. */
#include "server/exec/cmd_syntax.h"

#include <string.h>

struct reader {
    struct syntax *s;
    const char *p;
};

static struct syntax_node *read_alternatives(struct reader *r);
static struct syntax_node *read_bracket(struct reader *r, char close);

static void
skip_blanks(struct reader *r)
{
    while (*r->p == ' ')
        r->p++;
}

static struct syntax_node *
new_node(struct reader *r, enum syntax_kind kind)
{
    struct syntax_node *n =
        &r->s->at[r->s->count < SYNTAX_NODES_MAX ? r->s->count : SYNTAX_NODES_MAX - 1];

    if (r->s->count < SYNTAX_NODES_MAX)
        r->s->count++;
    else
        r->s->failed = true;
    *n = (struct syntax_node){.kind = kind};
    return n;
}

static struct slice
read_word(struct reader *r)
{
    const char *begin = r->p;

    while (*r->p != '\0' && strchr(" []<>|", *r->p) == NULL)
        r->p++;
    return (struct slice){begin, (size_t)(r->p - begin)};
}

/* Words in capitals are said as they are, and so are some signs. */
static bool
is_token(struct slice word)
{
    if (word.len == 1 && strchr("$*=~", word.ptr[0]) != NULL)
        return true;
    for (size_t i = 0; i < word.len; i++)
        if (word.ptr[i] >= 'a' && word.ptr[i] <= 'z')
            return false;
    return word.len > 0 && word.ptr[0] >= 'A' && word.ptr[0] <= 'Z';
}

static bool
is_ellipsis(struct slice word)
{
    return word.len == 3 && memcmp(word.ptr, "...", 3) == 0;
}

static bool
argument_follows(struct reader *r)
{
    skip_blanks(r);
    return *r->p != '\0' && strchr("[]<>|.", *r->p) == NULL &&
           !is_token((struct slice){r->p, strcspn(r->p, " []<>|")});
}

/* cut_type: does the name end with that type?  It is no part of the name. */
static bool
cut_type(struct syntax_node *n, struct slice type)
{
    if (n->name.len <= type.len ||
        memcmp(n->name.ptr + n->name.len - type.len, type.ptr, type.len) != 0)
        return false;
    n->name.len -= type.len;
    return true;
}

static struct syntax_node *
read_argument(struct reader *r)
{
    struct syntax_node *n = new_node(r, SYNTAX_ARGUMENT);

    n->name = read_word(r);
    n->is_double = cut_type(n, SLICE(":double"));
    n->is_string = cut_type(n, SLICE(":string"));
    n->is_integer = cut_type(n, SLICE(":integer"));
    return n;
}

/* A word in capitals, with the arguments that belong to it. */
static struct syntax_node *
read_token(struct reader *r, struct slice token)
{
    struct syntax_node *n, *first, **end;

    skip_blanks(r);
    if (*r->p == '<') {
        if ((n = read_bracket(r, '>')) != NULL && n->optional) { /* FULL <[COUNT count]> */
            first = n;
            n = new_node(r, SYNTAX_BLOCK);
            n->child = first;
        }
        if (n != NULL)
            n->name = n->token = token;
        return n;
    }
    if (!argument_follows(r)) {
        n = new_node(r, SYNTAX_TOKEN);
        n->name = n->token = token;
        return n;
    }
    first = read_argument(r);
    first->token = token;
    if (!argument_follows(r))
        return first;
    first->token.len = 0;
    n = new_node(r, SYNTAX_BLOCK);
    n->name = n->token = token;
    n->child = first;
    for (end = &first->next; argument_follows(r); end = &(*end)->next)
        *end = read_argument(r);
    return n;
}

static struct syntax_node *
wrap(struct reader *r, struct syntax_node *first)
{
    struct syntax_node *n;

    if (first == NULL || first->next == NULL)
        return first;
    n = new_node(r, SYNTAX_BLOCK);
    n->name = first->name;
    n->child = first;
    return n;
}

/* "[x ...]" behind x: what it holds may come again.  Returns how many words that are; 0: it is
 * another bracket. */
static unsigned
read_repetition(struct reader *r, bool *ret_token)
{
    const char *end = strchr(r->p, ']');
    unsigned words = 0;

    if (*r->p != '[' || end == NULL || end - r->p < 5 || memcmp(end - 3, "...", 3) != 0 ||
        memchr(r->p + 1, '[', (size_t)(end - r->p) - 1) != NULL)
        return 0;
    *ret_token = is_token((struct slice){r->p + 1, strcspn(r->p + 1, " ]")});
    for (const char *p = r->p; p < end; p++)
        words += *p == ' ';
    r->p = end + 1;
    return words;
}

/* The last so many of a sequence may come again: one node for them. */
static struct syntax_node **
repeat_last(struct reader *r, struct syntax_node **first, unsigned words, bool token)
{
    struct syntax_node **at = first, *n, *child;
    unsigned count = 0;

    for (n = *first; n != NULL; n = n->next)
        count++;
    for (; count > words; count--)
        at = &(*at)->next;
    n = *at = wrap(r, *at);
    /* ID client-id [client-id ...]: ID comes once */
    if (n->token.len > 0 && !token && n->kind == SYNTAX_ARGUMENT) {
        child = new_node(r, SYNTAX_ARGUMENT);
        child->name = n->name;
        n->kind = SYNTAX_BLOCK;
        n->child = child;
        n = child;
    }
    n->multiple = true;
    n->multiple_token = token;
    return &(*at)->next;
}

static struct syntax_node *
read_bracket(struct reader *r, char close)
{
    struct syntax_node *n;

    r->p++;
    n = wrap(r, read_alternatives(r));
    if (*r->p == close)
        r->p++;
    else
        r->s->failed = true;
    if (n != NULL && close == ']')
        n->optional = true;
    return n;
}

static struct syntax_node *
read_element(struct reader *r)
{
    struct slice word;

    if (*r->p == '[')
        return read_bracket(r, ']');
    if (*r->p == '<')
        return read_bracket(r, '>');
    word = read_word(r);
    if (is_token(word))
        return read_token(r, word);
    if (word.len == 0 || is_ellipsis(word))
        return NULL;
    r->p -= word.len;
    return read_argument(r);
}

/* Elements up to a closing bracket, a bar or the end. */
static struct syntax_node *
read_sequence(struct reader *r)
{
    struct syntax_node *first = NULL, **end = &first;
    bool token;

    for (skip_blanks(r); *r->p != '\0' && strchr("]>|", *r->p) == NULL; skip_blanks(r)) {
        unsigned words = first != NULL ? read_repetition(r, &token) : 0;
        if (words > 0) {
            end = repeat_last(r, &first, words, token);
            continue;
        }
        if ((*end = read_element(r)) == NULL)
            break;
        end = &(*end)->next;
    }
    return first;
}

static struct syntax_node *
read_alternatives(struct reader *r)
{
    struct syntax_node *first = read_sequence(r), *n, **end;

    if (*r->p != '|')
        return first;
    n = new_node(r, SYNTAX_ONEOF);
    n->child = wrap(r, first);
    if (n->child == NULL) {
        r->s->failed = true;
        return NULL;
    }
    n->name = n->child->name;
    end = &n->child->next;
    while (*r->p == '|') {
        r->p++;
        if ((*end = wrap(r, read_sequence(r))) == NULL) {
            r->s->failed = true;
            return n;
        }
        end = &(*end)->next;
    }
    return n;
}

struct syntax_node *
syntax_parse(struct syntax *s, const char *text)
{
    struct reader r = {.s = s, .p = text};
    struct syntax_node *first;

    s->count = 0;
    s->failed = false;
    first = read_alternatives(&r);
    if (*r.p != '\0')
        s->failed = true;
    return s->failed ? NULL : first;
}

const char *
syntax_type(const struct syntax_node *n)
{
    static const struct {
        const char *name, *type;
    } types[] = {{"key", "key"},
                 {"newkey", "key"},
                 {"source", "key"},
                 {"destination", "key"},
                 {"destkey", "key"},
                 {"sourcekey", "key"},
                 {"dst", "key"},
                 {"src", "key"},
                 {"key1", "key"},
                 {"key2", "key"},
                 {"seconds", "integer"},
                 {"milliseconds", "integer"},
                 {"count", "integer"},
                 {"numkeys", "integer"},
                 {"numfields", "integer"},
                 {"limit", "integer"},
                 {"cursor", "integer"},
                 {"index", "integer"},
                 {"index1", "integer"},
                 {"index2", "integer"},
                 {"db", "integer"},
                 {"destination-db", "integer"},
                 {"offset", "integer"},
                 {"start", "integer"},
                 {"numkeys", "integer"},
                 {"num-matches", "integer"},
                 {"rank", "integer"},
                 {"stop", "integer"},
                 {"end", "integer"},
                 {"stop", "integer"},
                 {"numkeys", "integer"},
                 {"limit", "integer"},
                 {"weight", "integer"},
                 {"decrement", "integer"},
                 {"increment", "integer"},
                 {"timeout", "integer"},
                 {"numreplicas", "integer"},
                 {"numlocal", "integer"},
                 {"ttl", "integer"},
                 {"frequency", "integer"},
                 {"len", "integer"},
                 {"protover", "integer"},
                 {"client-id", "integer"},
                 {"version", "integer"},
                 {"pattern", "pattern"},
                 {"unix-time-seconds", "unix-time"},
                 {"unix-time-milliseconds", "unix-time"}};

    if (n->kind == SYNTAX_TOKEN)
        return "pure-token";
    if (n->kind == SYNTAX_ONEOF)
        return "oneof";
    if (n->kind == SYNTAX_BLOCK)
        return "block";
    if (n->is_double || n->is_string || n->is_integer)
        return n->is_double ? "double" : n->is_string ? "string" : "integer";
    for (unsigned i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strlen(types[i].name) == n->name.len &&
            memcmp(types[i].name, n->name.ptr, n->name.len) == 0)
            return types[i].type;
    return "string";
}
