/// Starting programs, and what else of glibc and the kernel Swift cannot see.
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/// A pipe whose ends no child inherits: `ends[0]` reads. 0, or the errno.
int csp_pipe(int ends[2]);

/// Starts `path` (searched in PATH when it has no slash) with `stdio` as its descriptors 0, 1 and 2, no signal blocked
/// or ignored, in `workdir` unless it is NULL, and with `session` as the leader of a session of its own, so that it
/// outlives the caller. `envp` NULL inherits the environment. 0 and `*pid`, or the errno.
int csp_spawn(
    const char *path, char *const argv[], char *const envp[], const int stdio[3], const char *workdir, bool session,
    pid_t *pid);

/// Whether something keeps the kernel's clock right (adjtimex(2)): 1 or 0, or -1 where the kernel does not tell.
int csp_clock_is_kept(void);

/// A descriptor, close-on-exec, that becomes readable when the process ends; it need not be a child. -1 where there is
/// no such process or the kernel is older than 5.3.
int csp_pidfd(pid_t pid);

/// A descriptor, close-on-exec, of a new file in `folder` that has no name and goes with it (open(2), O_TMPFILE), or -1.
int csp_nameless_file(const char *folder);
