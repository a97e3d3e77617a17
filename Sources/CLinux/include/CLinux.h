// Calls that Swift cannot import: variadic ones, GNU extensions, and spawn attributes in one function.
// Only plain C types and no system header, because with _GNU_SOURCE their types would differ from those of Swift's Glibc.
#pragma once

/// A pipe with close-on-exec ends. Returns 0 or -1 and errno.
int clinux_pipe(int ends[2]);

/// Copies the descriptor to the lowest free number that is not below `lowest`. Returns it or -1 and errno.
int clinux_move_descriptor(int fd, int lowest);

/// Takes an exclusive open file description lock on the whole file without waiting. Returns 0 or -1 and errno.
int clinux_ofd_lock(int fd);
/// Drops the lock for every copy of the descriptor. Returns 0 or -1 and errno.
int clinux_ofd_unlock(int fd);
/// Whether another open file holds such a lock. Takes none. Returns 1, 0, or -1 and errno.
int clinux_ofd_is_locked(int fd);

/// prctl(2), each 0 or -1 and errno.
int clinux_become_subreaper(void);
int clinux_no_new_privileges(void);
int clinux_not_dumpable(void);

/// The user at the other end of a connected AF_UNIX socket (SO_PEERCRED). Returns 0 or -1 and errno.
int clinux_peer_user(int fd, unsigned *user);

/// The process at the other end. For a connected socket, it is the process that listened (SO_PEERCRED). Returns it or -1 and errno.
int clinux_peer_process(int fd);

/// A descriptor from which the given signals, blocked for this thread, are read. Returns it or -1 and errno.
int clinux_signal_descriptor(const int *signals, int count);
/// The next signal's number, 0 if none waits, or -1 and errno.
int clinux_next_signal(int fd);

/// adjtimex(2), read only. Returns 1 if the clock is synchronised, 0 if not, or -1 and errno. Sets the maximum error in µs.
int clinux_clock_state(long *maximum_error);

/// Starts `path` in a session of its own, with an empty signal mask and default dispositions.
/// descriptors[i] becomes i in the child, and all others are closed. Every descriptors[i] must be >= count, or one dup2 would
/// overwrite the source of the next. `kept`, unless negative, becomes `kept_number`, which must be above all others.
/// With `scoped`, the child and its descendants can signal no process outside (Landlock, from Linux 6.12 on; an older kernel
/// ignores it) and cannot set the limits of other processes (prlimit(2), by seccomp).
/// Returns 0 or an errno value, also if exec fails.
int clinux_spawn(int *pid, const char *path, char *const argv[], char *const envp[], const char *directory,
                 const int *descriptors, int count, int kept, int kept_number, int scoped);
