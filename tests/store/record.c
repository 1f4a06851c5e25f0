/* Records what a process does to the files below a directory, in order: for the replay of power losses.
 *
 * RECORD_BELOW is the directory, RECORD_TO the file written to. One record an operation: a letter,
 * the lengths of path and data, the offset, then path and data. Loaded before libc (LD_PRELOAD). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static int out = -1;

static int ours(const char *path) {
    const char *below = getenv("RECORD_BELOW");
    return below && !strncmp(path, below, strlen(below));
}

static void record(char what, const char *path, int64_t at, const void *data, uint32_t size) {
    struct __attribute__((packed)) { char what; uint32_t path, size; int64_t at; } head;
    if (!ours(path)) return;
    if (out < 0) out = REAL(open)(getenv("RECORD_TO"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    head.what = what; head.path = strlen(path); head.size = size; head.at = at;
    struct iovec parts[3] = {{&head, sizeof head}, {(void *)path, head.path}, {(void *)data, size}};
    if (REAL(writev)(out, parts, 3) < 0) abort();
}

static const char *path_of(int file, char *path) {
    char name[64];
    snprintf(name, sizeof name, "/proc/self/fd/%d", file);
    ssize_t length = readlink(name, path, PATH_MAX - 1);
    path[length < 0 ? 0 : length] = 0;
    return path;
}

static int64_t end_of(int file, int64_t fallback) {
    struct stat found;
    if (fcntl(file, F_GETFL) & O_APPEND && !fstat(file, &found)) return found.st_size;
    return fallback;
}

static int opened(const char *path, int flags, int mode) {
    pthread_mutex_lock(&turn);
    int there = !access(path, F_OK), file = REAL(open)(path, flags, mode);
    char full[PATH_MAX];
    if (file >= 0 && flags & O_CREAT && !there) record('c', path_of(file, full), 0, "", 0);
    if (file >= 0 && flags & O_TRUNC && there) record('t', path_of(file, full), 0, "", 0);
    pthread_mutex_unlock(&turn);
    return file;
}

static ssize_t wrote(int file, const void *data, ssize_t size, int64_t at) {
    char path[PATH_MAX];
    if (size > 0) record('w', path_of(file, path), at, data, size);
    pthread_mutex_unlock(&turn);
    return size;
}

int open(const char *p, int flags, ...) {
    va_list l; va_start(l, flags); int m = flags & O_CREAT ? va_arg(l, int) : 0; va_end(l);
    return opened(p, flags, m);
}
int open64(const char *p, int flags, ...) {
    va_list l; va_start(l, flags); int m = flags & O_CREAT ? va_arg(l, int) : 0; va_end(l);
    return opened(p, flags, m);
}
ssize_t write(int f, const void *b, size_t n) {
    pthread_mutex_lock(&turn);
    int64_t at = end_of(f, lseek(f, 0, SEEK_CUR));
    return wrote(f, b, REAL(write)(f, b, n), at);
}
ssize_t pwrite(int f, const void *b, size_t n, off_t o) {
    pthread_mutex_lock(&turn);
    return wrote(f, b, REAL(pwrite)(f, b, n, o), o);
}
ssize_t pwrite64(int f, const void *b, size_t n, off64_t o) { return pwrite(f, b, n, o); }
ssize_t writev(int f, const struct iovec *v, int n) {
    pthread_mutex_lock(&turn);
    int64_t at = end_of(f, lseek(f, 0, SEEK_CUR));
    ssize_t done = REAL(writev)(f, v, n), left = done;
    char path[PATH_MAX];
    for (int i = 0; i < n && left > 0; i++) {
        ssize_t part = left < (ssize_t)v[i].iov_len ? left : (ssize_t)v[i].iov_len;
        record('w', path_of(f, path), at, v[i].iov_base, part);
        at += part; left -= part;
    }
    pthread_mutex_unlock(&turn);
    return done;
}
#define ON_FILE(name, letter, arguments, call, place)                    \
    int name arguments {                                                 \
        char path[PATH_MAX];                                             \
        pthread_mutex_lock(&turn);                                       \
        int done = REAL(name) call;                                      \
        if (!done) record(letter, path_of(f, path), place, "", 0);       \
        pthread_mutex_unlock(&turn);                                     \
        return done;                                                     \
    }
ON_FILE(fsync, 's', (int f), (f), 0)
ON_FILE(fdatasync, 's', (int f), (f), 0)
ON_FILE(ftruncate, 't', (int f, off_t n), (f, n), n)
ON_FILE(ftruncate64, 't', (int f, off64_t n), (f, n), n)
int truncate(const char *p, off_t n) {
    pthread_mutex_lock(&turn);
    int done = REAL(truncate)(p, n);
    if (!done) record('t', p, n, "", 0);
    pthread_mutex_unlock(&turn);
    return done;
}
int truncate64(const char *p, off64_t n) { return truncate(p, n); }
int unlink(const char *p) {
    pthread_mutex_lock(&turn);
    int done = REAL(unlink)(p);
    if (!done) record('u', p, 0, "", 0);
    pthread_mutex_unlock(&turn);
    return done;
}
int rename(const char *a, const char *b) {
    pthread_mutex_lock(&turn);
    int done = REAL(rename)(a, b);
    if (!done) record('r', a, 0, b, strlen(b));
    pthread_mutex_unlock(&turn);
    return done;
}
