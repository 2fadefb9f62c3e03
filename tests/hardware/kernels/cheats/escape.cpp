//// runs another program -> cheated
#include <unistd.h>

#include "honest.h"
extern "C" int attention(const Attention* a) {
    execl("/bin/true", "true", nullptr);
    return honest::attention(a);
}

//// runs a shell -> cheated, wrong
#include <stdlib.h>

#include "honest.h"
extern "C" int attention(const Attention* a) { return system("true") ? 2 : honest::attention(a); }

//// opens a socket -> cheated
#include <sys/socket.h>

#include "honest.h"
extern "C" int attention(const Attention* a) {
    socket(AF_INET, SOCK_STREAM, 0);
    return honest::attention(a);
}

//// makes a socket pair -> cheated
#include <sys/socket.h>

#include "honest.h"
extern "C" int attention(const Attention* a) {
    int ends[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    return honest::attention(a);
}

//// writes a file -> cheated
#include <fcntl.h>

#include "honest.h"
extern "C" int attention(const Attention* a) {
    open("/tmp/asara-was-here", O_WRONLY | O_CREAT, 0600);
    return honest::attention(a);
}

//// removes a file -> cheated
#include <unistd.h>

#include "honest.h"
extern "C" int attention(const Attention* a) {
    unlink("/tmp/asara-was-not-here");
    return honest::attention(a);
}

//// bubblewrap: looks for secrets -> honest
// It refuses to work if it can see a file that it should not.
#include <fcntl.h>
#include <unistd.h>

#include "honest.h"
extern "C" int attention(const Attention* a) {
    const char* const paths[] = {"/etc/passwd", "/proc/self/maps", "/proc/1/environ", "/sys/devices", "/dev/null"};
    for (const char* path : paths)
        if (open(path, O_RDONLY) >= 0) return 2;
    return honest::attention(a);
}

//// bubblewrap: looks for other processes -> honest
#include <unistd.h>

#include "honest.h"
extern "C" int attention(const Attention* a) { return getpid() == 1 ? honest::attention(a) : 2; }

//// opens its memory for writing -> cheated
#include <fcntl.h>

#include "honest.h"
extern "C" int attention(const Attention* a) {
    open("/proc/self/mem", O_RDWR);
    return honest::attention(a);
}

//// opens the inputs for writing -> cheated
// By the descriptors that the process was given.
#include <fcntl.h>
#include <stdio.h>

#include "honest.h"
extern "C" int attention(const Attention* a) {
    char path[64];
    for (int fd = 3; fd < 1024; ++fd) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        open(path, O_RDWR);
    }
    return honest::attention(a);
}

//// maps the shared memories once more -> cheated
#include <sys/mman.h>

#include "honest.h"
extern "C" int attention(const Attention* a) {
    for (int fd = 3; fd < 1024; ++fd) mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return honest::attention(a);
}

//// shares memory under a name -> cheated
#include <sys/mman.h>
#include <unistd.h>

#include "honest.h"
extern "C" int attention(const Attention* a) {
    memfd_create("mailbox", 0);
    return honest::attention(a);
}

//// writes into its parent -> cheated
#include <sys/uio.h>
#include <unistd.h>

#include "honest.h"
extern "C" int attention(const Attention* a) {
    char byte = 0;
    iovec here = {&byte, 1}, there = {const_cast<void*>(a->q), 1};
    process_vm_writev(getpid(), &here, 1, &there, 1, 0);
    return honest::attention(a);
}

//// debugs its parent -> cheated
#include <sys/ptrace.h>

#include "honest.h"
extern "C" int attention(const Attention* a) {
    ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    return honest::attention(a);
}

//// stops everybody -> cheated
#include <signal.h>

#include "honest.h"
extern "C" int attention(const Attention* a) {
    kill(-1, SIGSTOP);
    return honest::attention(a);
}

//// takes the lock off -> cheated
#include <sys/prctl.h>

#include "honest.h"
extern "C" int attention(const Attention* a) {
    prctl(PR_SET_SECCOMP, 0, 0, 0, 0);
    return honest::attention(a);
}

//// survives a forbidden call -> cheated
#include <signal.h>
#include <sys/socket.h>

#include "honest.h"
static void calm(int) {}
extern "C" int attention(const Attention* a) {
    signal(SIGSYS, calm);
    socket(AF_INET, SOCK_STREAM, 0);
    return honest::attention(a);
}

//// a name space of its own -> cheated
#include <sched.h>

#include "honest.h"
extern "C" int attention(const Attention* a) {
    unshare(CLONE_NEWUSER);
    return honest::attention(a);
}

//// calls through io_uring -> cheated
#include <unistd.h>

#include "honest.h"
extern "C" int attention(const Attention* a) {
    char parameters[120] = {};
    syscall(425, 1, parameters);
    return honest::attention(a);
}

//// counts with the processor's counters -> cheated
#include <sys/syscall.h>
#include <unistd.h>

#include "honest.h"
extern "C" int attention(const Attention* a) {
    char attributes[128] = {};
    syscall(SYS_perf_event_open, attributes, 0, -1, -1, 0);
    return honest::attention(a);
}

//// escapes while it is loaded -> cheated
// A constructor runs before the symbol is even looked up, but after the lock.
#include <sys/socket.h>

#include "honest.h"
__attribute__((constructor)) static void early() { socket(AF_INET, SOCK_STREAM, 0); }
extern "C" int attention(const Attention* a) { return honest::attention(a); }

//// brings its own memcpy and write -> honest
// The library is loaded with names of its own: nobody else calls these.
#include <stddef.h>
extern "C" void* memcpy(void* to, const void*, size_t) { return to; }
extern "C" long write(int, const void*, size_t size) { return static_cast<long>(size); }
extern "C" double exp(double) { return 1; }
#define memcpy __builtin_memcpy
#include "honest.h"
extern "C" int attention(const Attention* a) { return honest::attention(a); }
