/*
 * Put before the C library by LD_PRELOAD: allocations fail as $FAULTS says, a file of four numbers of 64 bits that
 * all processes of a server share and the test reads and writes. They are the library's, and the program's, which
 * should make none. Those of the C library and of the loader are left alone: glibc does not survive some of them
 * (2.36 neither in __nss_database_get nor in __tls_get_addr).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
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

/* Where the program and the library lie. */
static struct range {
    uintptr_t start, end;
} ranges[2];
static int range_count;

static int note_object(struct dl_phdr_info *info, size_t size, void *data)
{
    struct range range = {UINTPTR_MAX, 0};
    int i;

    (void)size;
    (void)data;
    /* The program comes first. */
    if (range_count > 0 && strstr(info->dlpi_name, "libdorrit") == NULL)
        return 0;
    for (i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        uintptr_t at = info->dlpi_addr + header->p_vaddr;

        if (header->p_type != PT_LOAD)
            continue;
        if (at < range.start)
            range.start = at;
        if (at + header->p_memsz > range.end)
            range.end = at + header->p_memsz;
    }
    ranges[range_count++] = range;
    return range_count == 2;
}

static void __attribute__((constructor)) begin(void)
{
    const char *path = getenv("FAULTS");
    int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
    void *place;

    if (fd < 0)
        return;
    dl_iterate_phdr(note_object, NULL);
    place = mmap(NULL, sizeof *faults, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (place != MAP_FAILED)
        faults = place;
}

static int is_ours(uintptr_t caller)
{
    return (caller >= ranges[0].start && caller < ranges[0].end) ||
           (caller >= ranges[1].start && caller < ranges[1].end);
}

static int fails(const void *caller)
{
    uint64_t number;

    if (faults == NULL || !is_ours((uintptr_t)caller))
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
    return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return size > 0 && fails(__builtin_return_address(0)) ? NULL : __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **place, size_t alignment, size_t size)
{
    void *found = fails(__builtin_return_address(0)) ? NULL : __libc_memalign(alignment, size);

    if (found == NULL)
        return ENOMEM;
    *place = found;
    return 0;
}
