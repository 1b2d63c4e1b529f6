// An operating system in miniature: tasks with queues of packets, a scheduler that
// calls each task through a pointer, devices that answer later.
#include "bench.h"

typedef struct packet {
    struct packet *next;
    uint32_t device, value, data[4];
} packet;
typedef struct task task;
struct task {
    task *next;
    packet *queue;
    uint32_t id, priority, waiting, held, count, state;
    task *(*step)(task *, packet *);
};

enum { TASKS = 6 };
static task tasks[TASKS];
static task *current;
static uint32_t queued, holds;

static task *find_ready(void) {
    for (task *t = &tasks[TASKS - 1]; t; t = t->next)
        if (!t->held && (!t->waiting || t->queue)) return t;
    return NULL;
}

static void append(packet **queue, packet *p) {
    p->next = NULL;
    while (*queue) queue = &(*queue)->next;
    *queue = p;
}

static task *send(uint32_t to, packet *p) {
    task *t = &tasks[to];
    queued++;
    p->device = current->id;
    append(&t->queue, p);
    return t->priority > current->priority ? t : current;
}

static task *hold(void) {
    holds++;
    current->held = 1;
    return find_ready();
}

static task *wait_for_packet(void) {
    current->waiting = 1;
    return current->queue ? current : find_ready();
}

// Releases the two devices in turn, by the bits of a shift register.
static task *step_idle(task *t, packet *p) {
    (void)p;
    if (t->count == 0) return NULL;
    t->count--;
    uint32_t bit = t->state & 1;
    t->state = t->state >> 1 ^ (bit ? 0xd008u : 0);
    tasks[4 + bit].held = 0;
    return find_ready();
}

static task *step_worker(task *t, packet *p) {
    if (!p) return wait_for_packet();
    t->state ^= 1;
    for (int i = 0; i < 4; i++) p->data[i] = (t->count = t->count * 5 + 1) % 26 + 'A';
    return send(2 + (t->state & 1), p);
}

static task *step_handler(task *t, packet *p) {
    if (!p) return wait_for_packet();
    t->state += p->data[p->value & 3];
    if (p->value++ % 5 == 4) return send(1, p);
    return send(4 + (t->id & 1), p);
}

static task *step_device(task *t, packet *p) {
    if (!p) return wait_for_packet();
    t->state = t->state * 31 + p->data[0];
    packet *q = p;
    uint32_t back = q->device;
    task *next = send(back, q);
    if (t->state & 2) return next;
    return hold();
}

static NOINLINE uint64_t schedule(void) {
    uint64_t turns = 0;
    for (current = find_ready(); current; turns++) {
        packet *p = NULL;
        if (current->waiting && current->queue) {
            p = current->queue;
            current->queue = p->next;
            current->waiting = 0;
        }
        if (current->held) current = find_ready();
        else current = current->step(current, p);
    }
    return turns;
}

int main(int argc, char **argv) {
    static packet packets[7];
    static task *(*const steps[TASKS])(task *, packet *) = {
        step_idle, step_worker, step_handler, step_handler, step_device, step_device};
    uint64_t sum = 0;
    memset(tasks, 0, sizeof tasks);
    for (uint32_t i = 0; i < TASKS; i++) {
        tasks[i] = (task){.next = i ? &tasks[i - 1] : NULL, .id = i, .priority = i * 100,
                          .waiting = i > 0, .state = 1, .step = steps[i]};
    }
    tasks[0].count = rounds_of(argc, argv, 6000000);
    current = &tasks[0];
    for (uint32_t i = 0; i < 7; i++) {
        packets[i].value = i;
        append(&tasks[1 + i % 3].queue, &packets[i]);
    }
    sum = mix(sum, schedule());
    for (int i = 0; i < TASKS; i++) sum = mix(sum, tasks[i].state + tasks[i].count);
    return report("richards", mix(mix(sum, queued), holds));
}
