// What a candidate can do to the interpreter that calls it.
#include <dlfcn.h>

#include "honest.h"

inline void python(const char* code) {
    const auto ensure = reinterpret_cast<int (*)()>(dlsym(RTLD_DEFAULT, "PyGILState_Ensure"));
    const auto release = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "PyGILState_Release"));
    const auto run = reinterpret_cast<int (*)(const char*, void*)>(dlsym(RTLD_DEFAULT, "PyRun_SimpleStringFlags"));
    if (!ensure || !release || !run) abort();
    const int state = ensure();
    run(code, nullptr);
    release(state);
}
