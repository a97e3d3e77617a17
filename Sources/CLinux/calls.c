#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <unistd.h>

int clinux_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }

int clinux_move_descriptor(int fd, int lowest) { return fcntl(fd, F_DUPFD_CLOEXEC, lowest); }

static struct flock whole_file(short type) {
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0, .l_pid = 0};
}

int clinux_ofd_lock(int fd) {
    struct flock lock = whole_file(F_WRLCK);
    return fcntl(fd, F_OFD_SETLK, &lock);
}

int clinux_ofd_unlock(int fd) {
    struct flock lock = whole_file(F_UNLCK);
    return fcntl(fd, F_OFD_SETLK, &lock);
}

int clinux_ofd_is_locked(int fd) {
    struct flock lock = whole_file(F_WRLCK);
    if (fcntl(fd, F_OFD_GETLK, &lock) == -1) return -1;
    return lock.l_type != F_UNLCK;
}

int clinux_become_subreaper(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }

int clinux_no_new_privileges(void) { return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }

int clinux_not_dumpable(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }

int clinux_peer_user(int fd, unsigned *user) {
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == -1) return -1;
    *user = peer.uid;
    return 0;
}

int clinux_peer_process(int fd) {
    struct ucred peer;
    socklen_t length = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == -1 ? -1 : peer.pid;
}

int clinux_signal_descriptor(const int *signals, int count) {
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < count; i++) sigaddset(&set, signals[i]);
    if (sigprocmask(SIG_BLOCK, &set, NULL) == -1) return -1;
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int clinux_next_signal(int fd) {
    struct signalfd_siginfo info;
    ssize_t count = read(fd, &info, sizeof info);
    if (count == (ssize_t)sizeof info) return (int)info.ssi_signo;
    return errno == EAGAIN ? 0 : -1;
}

int clinux_clock_state(long *maximum_error) {
    struct timex state = {.modes = 0};
    int result = adjtimex(&state);
    if (result == -1) return -1;
    *maximum_error = state.maxerror;
    return result != TIME_ERROR && !(state.status & STA_UNSYNC);
}

struct start {
    pid_t child;
    const char *path;
    char *const *argv, *const *envp;
    const posix_spawn_file_actions_t *actions;
    const posix_spawnattr_t *attributes;
    int error;
};

static void *start_plain(void *argument) {
    struct start *start = argument;
    start->error = posix_spawn(&start->child, start->path, start->actions, start->attributes, start->argv, start->envp);
    return NULL;
}

#if defined(__x86_64__)
enum { native = AUDIT_ARCH_X86_64, compat_prlimit = 340 };
#elif defined(__aarch64__)
enum { native = AUDIT_ARCH_AARCH64, compat_prlimit = 369 };
#else
#error "add the number by which a 32-bit program calls prlimit64(2)"
#endif

// Forbids prlimit(2) on other processes. A limit of zero CPU time ends a process as a signal would, and neither Landlock nor
// being non-dumpable protects it. It needs no_new_privs. Without seccomp in the kernel it does nothing.
static void forbid_limiting_others(void) {
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, native, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xbfffffff),  // x32 calls of x86-64 have this bit
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prlimit64, 2, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, compat_prlimit, 0, 2),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
    };
    const struct sock_fprog filter = {.len = sizeof rules / sizeof rules[0], .filter = rules};
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0);
}

// struct landlock_ruleset_attr and LANDLOCK_SCOPE_SIGNAL as in linux/landlock.h; Debian 12's header is older.
static void *start_scoped(void *argument) {
    const struct { uint64_t filesystem, network, scoped; } rules = {0, 0, 1u << 1};
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0);
    if (ruleset >= 0) {
        syscall(SYS_landlock_restrict_self, ruleset, 0);
        close(ruleset);
    }
    forbid_limiting_others();
    return start_plain(argument);
}

// The rules bind a thread and its children. Our thread must still be able to signal the child, so another thread starts it.
static void start(struct start *start, int scoped) {
    pthread_t thread;
    if (!scoped) start_plain(start);
    else if ((start->error = pthread_create(&thread, NULL, start_scoped, start)) == 0) pthread_join(thread, NULL);
}

int clinux_spawn(int *pid, const char *path, char *const argv[], char *const envp[], const char *directory,
                 const int *descriptors, int count, int kept, int kept_number, int scoped) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t all, none;
    int error;
    if ((error = posix_spawn_file_actions_init(&actions)) != 0) return error;
    if ((error = posix_spawnattr_init(&attributes)) != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return error;
    }
    // Swift's task threads block signals, and a child would inherit that, and also which signals are ignored.
    sigfillset(&all);
    sigemptyset(&none);
    error = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (!error) error = posix_spawnattr_setsigmask(&attributes, &none);
    if (!error) error = posix_spawnattr_setsigdefault(&attributes, &all);
    if (!error && directory) error = posix_spawn_file_actions_addchdir_np(&actions, directory);
    for (int i = 0; !error && i < count; i++) error = posix_spawn_file_actions_adddup2(&actions, descriptors[i], i);
    if (!error && kept >= 0) error = posix_spawn_file_actions_adddup2(&actions, kept, kept_number);
    // With a kept descriptor, exec closes all others. (closefrom takes no number above the limit.)
    if (!error && kept >= 0 && close_range((unsigned)count, ~0U, CLOSE_RANGE_CLOEXEC) == -1) error = errno;
    if (!error && kept < 0) error = posix_spawn_file_actions_addclosefrom_np(&actions, count);
    struct start child = {.path = path, .argv = argv, .envp = envp, .actions = &actions, .attributes = &attributes};
    if (!error) {
        start(&child, scoped);
        error = child.error;
    }
    *pid = (int)child.child;
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}
