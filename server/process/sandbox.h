/* server/process/sandbox.h - what the process may ask of the system after its start.
 *
 * The server never needs another process, so from the first byte of a dump on it gives up whatever
 * it does not need: the calls of syscalls.def are let through, those that would make or touch
 * another process or change the machine end the server, all others answer ENOSYS, as on a system
 * without them.  It holds for all threads and until the end.
 * Threads: mutator. */
#ifndef SERVER_PROCESS_SANDBOX_H
#define SERVER_PROCESS_SANDBOX_H

/* sandbox_start: put the sandbox up, as configured (sandbox no, yes, required), and say in the log
 * what is in force.  0, or -errno: the system refuses a sandbox that is required.  After all
 * modules are started, before anything is read that others wrote. */
int sandbox_start(void);
/* sandbox_status: what is in force: "on"; "off": not wanted, or not built in; "unavailable": the
 * system refused it. */
const char *sandbox_status(void);

#endif
