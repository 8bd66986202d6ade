/*
 * Put before the C library by LD_PRELOAD: allocations fail as $FAULTS says, a file of four numbers of 64 bits that
 * all processes of a server share and the test reads and writes. They are the library's, the C library's, and the
 * program's own, which should make none.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

struct faults {
    uint64_t count;      /* allocations so far */
    uint64_t first, end; /* those that fail: from the first, and before the end */
    uint64_t failed;     /* how many have */
};

static struct faults *faults;

static void __attribute__((constructor)) begin(void)
{
    const char *path = getenv("FAULTS");
    int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
    void *place;

    if (fd < 0)
        return;
    place = mmap(NULL, sizeof *faults, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (place != MAP_FAILED)
        faults = place;
}

static int fails(void)
{
    uint64_t number;

    if (faults == NULL)
        return 0;
    number = __atomic_fetch_add(&faults->count, 1, __ATOMIC_RELAXED);
    if (number < faults->first || number >= faults->end)
        return 0;
    __atomic_fetch_add(&faults->failed, 1, __ATOMIC_RELAXED);
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return size > 0 && fails() ? NULL : __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return fails() ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **place, size_t alignment, size_t size)
{
    void *found = fails() ? NULL : __libc_memalign(alignment, size);

    if (found == NULL)
        return ENOMEM;
    *place = found;
    return 0;
}
