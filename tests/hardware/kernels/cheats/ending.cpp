//// never returns -> timed out
extern "C" int attention(const void*) {
    for (volatile int at = 0;; at = at + 1) {
    }
}

//// never finishes loading -> timed out
__attribute__((constructor)) static void early() {
    for (volatile int at = 0;; at = at + 1) {
    }
}
extern "C" int attention(const void*) { return 0; }

//// sleeps for an hour -> timed out
#include <unistd.h>
extern "C" int attention(const void*) { return static_cast<int>(sleep(3600)); }

//// leaves quietly -> wrong
#include <stdlib.h>
extern "C" int attention(const void*) { exit(0); }

//// leaves at once -> wrong
#include <unistd.h>
extern "C" int attention(const void*) { _exit(0); }

//// crashes -> wrong
extern "C" int attention(const void*) { return *static_cast<volatile int*>(nullptr); }

//// aborts -> wrong
#include <stdlib.h>
extern "C" int attention(const void*) { abort(); }

//// throws -> wrong
extern "C" int attention(const void*) { throw 1; }

//// calls itself for ever -> wrong
static int deeper(volatile int level) { return deeper(level + 1) + level; }
extern "C" int attention(const void*) { return deeper(0); }

//// an instruction that there is not -> wrong
extern "C" int attention(const void*) { __builtin_trap(); }

//// says that it cannot -> wrong
extern "C" int attention(const void*) { return 7; }

//// does nothing -> wrong
extern "C" int attention(const void*) { return 0; }

//// allocates without end -> wrong
#include <stdlib.h>
#include <string.h>
extern "C" int attention(const void*) {
    for (;;) {
        void* more = malloc(1 << 24);
        if (!more) return 3;
        memset(more, 1, 1 << 24);
    }
}

//// takes more memory than is allowed -> wrong
#include <sys/mman.h>
extern "C" int attention(const void*) {
    void* more = mmap(nullptr, size_t{4} << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return more == MAP_FAILED ? 3 : 0;
}

//// a function that is nowhere -> wrong
extern "C" int nowhere();
extern "C" int attention(const void*) { return nowhere(); }
