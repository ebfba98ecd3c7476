/* server/scripts/scripts_init.c - what the engine is told of what stands on it. */
#include "server/scripts/engine.h"
#include "server/scripts/scripts_impl.h"

void
scripts_init(void)
{
    engine_init(api_open, library_open_api);
}
