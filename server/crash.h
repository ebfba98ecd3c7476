/* server/crash.h - the last words: a report with a stack when a signal ends the process.
 *
 * On SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT: which, where, registers, the stack, the command
 * that ran; then the signal has its usual effect, so that status and core are what they would have
 * been. crash-log-enabled no: nothing of this. Where there is no backtrace() (a loader without it)
 * the stack is missing.
 * Threads: mutator. */
#ifndef SERVER_CRASH_H
#define SERVER_CRASH_H

/* crash_init: install the handlers, for all threads; hook CONFIG SET crash-log-enabled. */
void crash_init(void);

#endif
