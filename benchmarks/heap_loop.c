/* N researchers in a closed loop think for a time of mean 1, ask one of a number of GPUs for a time of mean 1, wait for
   it first come first served, and think again. The least that such a simulation can cost: one binary heap of events
   and one ring of those who wait, no jobs and no records.

   Usage: heap_loop RESEARCHERS GPUS WARM UNTIL SEED. Runs to time WARM, then to time UNTIL, and prints the jobs that
   finished in between, the CPU seconds that they took, all jobs, the sum of their waits, and the time of the last. */

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef struct {
    double time;
    int researcher;
    int kind; /* 0: has thought, 1: the job is over */
} Event;

static Event *heap;
static int events;

static void push(double time, int researcher, int kind) {
    int at = events++;
    while (at > 0) {
        int parent = (at - 1) / 2;
        if (heap[parent].time <= time) break;
        heap[at] = heap[parent];
        at = parent;
    }
    heap[at] = (Event){time, researcher, kind};
}

static Event pop(void) {
    Event first = heap[0], last = heap[--events];
    int at = 0;
    for (;;) {
        int child = 2 * at + 1;
        if (child >= events) break;
        if (child + 1 < events && heap[child + 1].time < heap[child].time) child++;
        if (heap[child].time >= last.time) break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = last;
    return first;
}

/* splitmix64 (Steele, Lea and Flood, OOPSLA 2014) and the inverse of the distribution function. */
static uint64_t state;

static double exponential(void) {
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return -log(((double)(z >> 11) + 0.5) * 0x1p-53);
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int main(int count, char **words) {
    if (count != 6) return 2;
    int researchers = atoi(words[1]), idle = atoi(words[2]);
    double warm = atof(words[3]), until = atof(words[4]);
    state = strtoull(words[5], NULL, 10);
    heap = malloc(sizeof(Event) * (size_t)researchers);
    int *line = malloc(sizeof(int) * (size_t)researchers);
    double *length = malloc(sizeof(double) * (size_t)researchers);
    double *asked = malloc(sizeof(double) * (size_t)researchers);
    if (!heap || !line || !length || !asked) return 1;
    int head = 0, waiting = 0;
    long finished = 0, before = -1;
    double start = 0, waited = 0, last = 0;
    for (int each = 0; each < researchers; each++) push(exponential(), each, 0);
    for (;;) {
        if (heap[0].time >= until) break;
        if (before < 0 && heap[0].time >= warm) {
            before = finished;
            start = seconds();
        }
        Event event = pop();
        double now = event.time;
        if (event.kind == 0) {
            length[event.researcher] = exponential();
            if (idle > 0) {
                idle--;
                push(now + length[event.researcher], event.researcher, 1);
            } else {
                int tail = head + waiting++;
                asked[event.researcher] = now;
                line[tail < researchers ? tail : tail - researchers] = event.researcher;
            }
        } else {
            finished++;
            last = now;
            push(now + exponential(), event.researcher, 0);
            if (waiting > 0) {
                int next = line[head];
                head = head + 1 < researchers ? head + 1 : 0;
                waiting--;
                waited += now - asked[next];
                push(now + length[next], next, 1);
            } else {
                idle++;
            }
        }
    }
    double spent = seconds() - start;
    printf("%ld %.9f %ld %.17g %.17g\n", finished - before, spent, finished, waited, last);
    return 0;
}
