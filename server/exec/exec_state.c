/* server/exec/exec_state.c - see exec_impl.h. */
#include "server/exec/exec_impl.h"

struct exec_state exec_state;
