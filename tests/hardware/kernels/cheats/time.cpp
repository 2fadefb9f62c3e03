//// a background thread -> cheated, wrong
// Started once, it would compute while nobody looks at the clock. (Wrong where starting one throws for want of -pthread.)
#include <thread>

#include "honest.h"
extern "C" int attention(const Attention* a) {
    static std::thread worker([] {
        for (;;) {
        }
    });
    return honest::attention(a);
}

//// a background thread from a constructor -> cheated, wrong
#include <thread>

#include "honest.h"
static std::thread worker([] {
    for (;;) {
    }
});
extern "C" int attention(const Attention* a) { return honest::attention(a); }

//// a second thread for half of the work -> cheated, wrong
#include <thread>

#include "honest.h"
extern "C" int attention(const Attention* a) {
    std::thread half([&] { honest::attention(a); });
    half.join();
    return 0;
}

//// a child that does the work -> cheated
// Its processor time is not on the parent's clock.
#include <sys/wait.h>
#include <unistd.h>

#include "honest.h"
extern "C" int attention(const Attention* a) {
    const pid_t child = fork();
    if (child == 0) {
        honest::attention(a);
        _exit(0);
    }
    waitpid(child, nullptr, 0);
    return 0;
}

//// a child by a bare system call -> cheated
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "honest.h"
extern "C" int attention(const Attention* a) {
    syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    return honest::attention(a);
}

//// a timer's signal does the work -> cheated
#include <signal.h>
#include <sys/time.h>

#include "honest.h"
static Attention last;
static void later(int) { honest::attention(&last); }
extern "C" int attention(const Attention* a) {
    last = *a;
    signal(SIGALRM, later);
    itimerval soon = {{0, 0}, {0, 100}};
    setitimer(ITIMER_REAL, &soon, nullptr);
    return 0;
}

//// sleeps instead of computing -> wrong, unstable
#include <time.h>

#include "honest.h"
extern "C" int attention(const Attention*) {
    const timespec nap = {0, 1000};
    nanosleep(&nap, nullptr);
    return 0;
}

//// sleeps, then computes -> honest
// Slow by the wall clock; by the processor's it gains nothing.
#include <time.h>

#include "honest.h"
extern "C" int attention(const Attention* a) {
    const timespec nap = {0, 1000};
    nanosleep(&nap, nullptr);
    return honest::attention(a);
}

//// sets its own clock back -> cheated
#include <time.h>

#include "honest.h"
extern "C" int attention(const Attention* a) {
    const timespec zero = {0, 0};
    clock_settime(CLOCK_PROCESS_CPUTIME_ID, &zero);
    return honest::attention(a);
}

//// patches the clock in its own process -> honest
// clock_gettime returns at once; but nobody asks the clock in this process.
#include <sys/mman.h>
#include <time.h>

#include "honest.h"
static void patch(void* function) {
#if defined(__aarch64__)
    const unsigned char code[] = {0xC0, 0x03, 0x5F, 0xD6};
#else
    const unsigned char code[] = {0xC3};
#endif
    void* page = reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(function) & ~uintptr_t(4095));
    if (mprotect(page, 8192, PROT_READ | PROT_WRITE | PROT_EXEC)) return;
    memcpy(function, code, sizeof code);
    __builtin___clear_cache(static_cast<char*>(function), static_cast<char*>(function) + sizeof code);
}
extern "C" int attention(const Attention* a) {
    static bool done = false;
    if (!done) patch(reinterpret_cast<void*>(&clock_gettime));
    done = true;
    return honest::attention(a);
}

//// a higher priority -> cheated
#include <sys/resource.h>

#include "honest.h"
extern "C" int attention(const Attention* a) {
    setpriority(PRIO_PROCESS, 0, -20);
    return honest::attention(a);
}

//// another core for itself -> cheated
#include <sched.h>

#include "honest.h"
extern "C" int attention(const Attention* a) {
    cpu_set_t all;
    memset(&all, 0xFF, sizeof all);
    sched_setaffinity(0, sizeof all, &all);
    return honest::attention(a);
}

//// spins in a destructor -> honest
// When the process ends, it is killed.
#include "honest.h"
struct Spinning {
    ~Spinning() {
        for (volatile int at = 0;; at = at + 1) {
        }
    }
};
static Spinning spinning;
extern "C" int attention(const Attention* a) { return honest::attention(a); }
