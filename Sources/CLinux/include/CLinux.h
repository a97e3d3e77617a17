// Calls that Swift cannot import: variadic ones, GNU extensions, and spawn attributes in one piece.
// Plain C types only and no system header: with _GNU_SOURCE their types would differ from those Swift's Glibc has.
#pragma once

/// A pipe with close-on-exec ends. Returns 0 or -1 and errno.
int clinux_pipe(int ends[2]);

/// The same descriptor under the lowest free number that is not below `lowest`. Returns it or -1 and errno.
int clinux_move_descriptor(int fd, int lowest);

/// Takes an exclusive open file description lock on the whole file without waiting. Returns 0 or -1 and errno.
int clinux_ofd_lock(int fd);
/// Drops it for every copy of the descriptor. Returns 0 or -1 and errno.
int clinux_ofd_unlock(int fd);
/// Asks, without locking, whether somebody else holds such a lock. Returns 1, 0, or -1 and errno.
int clinux_ofd_is_locked(int fd);

/// prctl(2), each 0 or -1 and errno.
int clinux_become_subreaper(void);
int clinux_no_new_privileges(void);
int clinux_not_dumpable(void);

/// The user at the other end of a connected AF_UNIX socket (SO_PEERCRED). Returns 0 or -1 and errno.
int clinux_peer_user(int fd, unsigned *user);

/// The process at the other end, for a socket that was connected the one that listened (SO_PEERCRED). Returns it or -1 and errno.
int clinux_peer_process(int fd);

/// A descriptor from which the given signals, blocked for this thread, are read. Returns it or -1 and errno.
int clinux_signal_descriptor(const int *signals, int count);
/// The next signal's number, 0 when none waits, or -1 and errno.
int clinux_next_signal(int fd);

/// adjtimex(2), asking only: 1 where the clock is synchronised, 0 where not, -1 and errno; the maximum error in µs.
int clinux_clock_state(long *maximum_error);

/// Starts `path` in a session of its own with an empty signal mask and default dispositions. descriptors[i] becomes i
/// in the child and all others are closed; every descriptors[i] must be >= count, or one dup2 would overwrite the
/// source of the next. `kept`, unless negative, becomes `kept_number`, which must be above all the others. With `scoped`, neither it nor a descendant can signal a process outside (Landlock, from Linux
/// 6.12 on; an older kernel starts it as usual) nor set another's limits (prlimit(2), by seccomp). Returns 0 or an errno
/// value; an exec that fails is reported here, not by a child that exits.
int clinux_spawn(int *pid, const char *path, char *const argv[], char *const envp[], const char *directory,
                 const int *descriptors, int count, int kept, int kept_number, int scoped);
