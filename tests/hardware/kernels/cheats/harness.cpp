//// prints a result -> honest
// Nobody reads what it prints.
#include <stdio.h>

#include "honest.h"
extern "C" int attention(const Attention* a) { return honest::attention(a); }
__attribute__((constructor)) static void early() { printf("{\"speedup\": 99}"); }

//// prints a result, and sees that it gets out -> cheated
#include <unistd.h>

#include "honest.h"
extern "C" int attention(const Attention* a) {
    return write(1, "{\"speedup\": 99}\n", 16) == 16 ? honest::attention(a) : 2;
}

//// a forged answer on the control channel -> cheated, wrong, unstable, timed out
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "honest.h"
extern "C" int attention(const Attention* a) {
    struct stat what;
    for (int fd = 3; fd < 1024; ++fd)
        if (!fstat(fd, &what) && S_ISSOCK(what.st_mode) && write(fd, "{\"speedup\": 99}\n", 16) < 0) return 2;
    return honest::attention(a);
}

//// says that it is done before it begins -> cheated, wrong, unstable
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "honest.h"
extern "C" int attention(const Attention* a) {
    struct stat what;
    for (int fd = 3; fd < 1024; ++fd)
        if (!fstat(fd, &what) && S_ISSOCK(what.st_mode) && write(fd, ".", 1) < 0) return 2;
    return honest::attention(a);
}

//// floods the control channel -> cheated, wrong, unstable
#include <sys/stat.h>
#include <unistd.h>

#include "honest.h"
extern "C" int attention(const Attention* a) {
    struct stat what;
    static char noise[65536];
    for (int fd = 3; fd < 1024; ++fd)
        while (!fstat(fd, &what) && S_ISSOCK(what.st_mode) && write(fd, noise, sizeof noise) > 0) {
        }
    return honest::attention(a);
}

//// answers drop by drop -> timed out
// Each byte alone comes in time.
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "honest.h"
extern "C" int attention(const Attention*) {
    const timespec nap = {0, 50000000};
    struct stat what;
    for (;;)
        for (int fd = 3; fd < 1024; ++fd)
            if (!fstat(fd, &what) && S_ISSOCK(what.st_mode)) {
                if (write(fd, "{", 1) < 0) return 2;
                nanosleep(&nap, nullptr);
            }
}

//// hangs up -> wrong
// It closes the control channel, and all else.
#include <unistd.h>

#include "honest.h"
extern "C" int attention(const Attention* a) {
    for (int fd = 3; fd < 1024; ++fd) close(fd);
    return honest::attention(a);
}

//// rewrites its caller: nothing is called -> wrong, unstable
// The interpreter that calls it is in its own process: as it would patch torch.allclose or the reference.
#include "python.h"
extern "C" int attention(const Attention* a) {
    python("import sys; sys.modules['__main__'].NativeBackend.run = lambda self: None");
    return honest::attention(a);
}

//// rewrites its caller: computes when the result is fetched -> wrong, unstable
#include "python.h"
extern "C" int attention(const Attention* a) {
    python(
        "import sys; host = sys.modules['__main__'].NativeBackend\n"
        "host.run = lambda self: None\n"
        "host.store_outputs = lambda self: self._run(self._timed)\n");
    return honest::attention(a);
}

//// rewrites its caller: computes before it is asked -> wrong, unstable
#include "python.h"
extern "C" int attention(const Attention* a) {
    python(
        "import sys; host = sys.modules['__main__'].NativeBackend\n"
        "host.run = lambda self: None\n"
        "host.prepare = lambda self: self._run(self._timed)\n");
    return honest::attention(a);
}

//// rewrites its caller: answers first, computes then -> cheated, wrong, unstable
#include "python.h"
extern "C" int attention(const Attention* a) {
    python(
        "import os, sys\n"
        "main = sys.modules['__main__']\n"
        "def run(self):\n"
        "    write(int(sys.argv[2]), b'.')\n"
        "    self._run(self._timed)\n"
        "    main.os.write = lambda *_: setattr(main.os, 'write', write)\n"
        "if not hasattr(main, 'patched'):\n"
        "    main.patched, main.sys, write = True, sys, os.write\n"
        "    main.write, main.NativeBackend.run = write, run\n");
    return honest::attention(a);
}

//// rewrites its caller: computes while it should wait -> cheated, wrong, unstable
// It works whenever it should listen, on whatever lies in the inputs.
#include "python.h"
extern "C" int attention(const Attention* a) {
    python(
        "import os, sys\n"
        "main = sys.modules['__main__']\n"
        "if not hasattr(main, 'patched'):\n"
        "    main.patched, main.read, main.seen = True, os.read, []\n"
        "    take = main.NativeBackend.bind_buffers\n"
        "    def taken(self, request, take=take, main=main):\n"
        "        take(self, request)\n"
        "        main.seen[:] = [self]\n"
        "    def read(fd, size, main=main):\n"
        "        for host in main.seen:\n"
        "            for _ in range(20):\n"
        "                host._run(host._timed)\n"
        "        return main.read(fd, size)\n"
        "    main.NativeBackend.bind_buffers, os.read = taken, read\n"
        "    main.NativeBackend.run = lambda self: None\n");
    return honest::attention(a);
}
