//// no source -> failed to build

//// no symbol -> failed to build
int something_else() { return 0; }

//// the symbol misspelt -> failed to build
extern "C" int atention(const void*) { return 0; }

//// the symbol of C++ -> failed to build
int attention(const void*) { return 0; }

//// the symbol is no function -> failed to build
extern "C" int attention = 0;

//// does not compile -> failed to build
extern "C" int attention(const void*) { return 0 }

//// not C++ at all -> failed to build
As a language model, I suggest to tile the loops.

//// includes a secret -> failed to build
#include "/etc/shadow"
extern "C" int attention(const void*) { return 0; }

//// bubblewrap: includes what only the system should see -> failed to build
#include "/etc/passwd"
extern "C" int attention(const void*) { return 0; }

//// bubblewrap: includes an endless file -> failed to build
#include "/dev/zero"
extern "C" int attention(const void*) { return 0; }

//// bubblewrap: takes a file in by the assembler -> failed to build
asm(".incbin \"/etc/passwd\"");
extern "C" int attention(const void*) { return 0; }

//// bubblewrap: takes in its compiler's environment -> failed to build
asm(".incbin \"/proc/self/environ\"");
extern "C" int attention(const void*) { return 0; }

//// endless templates -> failed to build
template <int N>
struct Deeper {
    Deeper<N + 1> next;
};
Deeper<0> deep;
extern "C" int attention(const void*) { return 0; }

//// endless computing in the compiler -> failed to build
constexpr unsigned long endless(unsigned long n) {
    unsigned long sum = 0;
    for (unsigned long at = 0; at < n; ++at) sum += at;
    return sum;
}
constexpr unsigned long sum = endless(-1ul);
extern "C" int attention(const void*) { return 0; }

//// an endless object -> failed to build
char big[1ul << 40] = {1};
extern "C" int attention(const void*) { return 0; }

//// an endless line for the assembler -> failed to build
asm(".rept 1000000000\n.rept 10000000\nnop\n.endr\n.endr");
extern "C" int attention(const void*) { return 0; }

//// includes itself -> failed to build
#include __FILE__
extern "C" int attention(const void*) { return 0; }
