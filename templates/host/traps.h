// traps.h - signals during a launch: a wild access or an endless loop ends the launch, not the process.
//
// Handlers are installed once and pass on whatever happens outside a launch of this library. A handler runs
// on its own stack and leaves the fiber for good: kernels hold no locks and own nothing.
#pragma once

#include "fiber.h"

#include <csignal>
#include <ctime>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

namespace fst_host {

static thread_local bool launching = false;
static thread_local volatile sig_atomic_t chained = 0;

// Alarms until a kernel is left where it stands. The checker looks at `expired` at every access, and can say
// more of the place: only a loop that never touches memory needs force there.
#ifdef FST_HOST_CHECKED
constexpr int kPatience = 4;
#else
constexpr int kPatience = 1;
#endif

constexpr int kCaught[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
static int alarm_signal() { return SIGRTMIN + 7; }
static struct sigaction previous[65];

// What would have happened without us. A chain that comes back to us is cut: the default action ends it.
static void pass_on(int signal, siginfo_t* info, void* context) {
    const struct sigaction& old = previous[signal];
    const bool custom = (old.sa_flags & SA_SIGINFO) ? old.sa_sigaction != nullptr
                                                    : old.sa_handler != SIG_DFL && old.sa_handler != SIG_IGN;
    if (custom && !chained) {
        chained = 1;
        if (old.sa_flags & SA_SIGINFO) old.sa_sigaction(signal, info, context);
        else old.sa_handler(signal);
        chained = 0;
        return;
    }
    if (signal != alarm_signal()) ::signal(signal, SIG_DFL);  // the instruction faults again, and ends the process
}

static const char* describe(int signal) {
    switch (signal) {
        case SIGFPE: return "an integer division by zero or an overflowing one";
        case SIGILL: return "an illegal instruction (unreachable code was reached)";
        default: return "an access to memory that is not mapped or not writable";
    }
}

// Where the signal met the fiber, and from where it had been called.
static void interrupted_frames(Fault& fault, const void* context) {
#if defined(__x86_64__)
    const auto& registers = static_cast<const ucontext_t*>(context)->uc_mcontext.gregs;
    const auto pc = uintptr_t(registers[16]), frame = uintptr_t(registers[10]);  // REG_RIP, REG_RBP
    const auto* top = reinterpret_cast<const unsigned char*>(registers[15]);    // REG_RSP
    const bool on_stack = top >= machine.current->stack && top < machine.current->stack + kStack;
    const auto caller = on_stack ? *reinterpret_cast<const uintptr_t*>(top) : 0;
#elif defined(__aarch64__)
    const auto& registers = static_cast<const ucontext_t*>(context)->uc_mcontext;
    const auto pc = uintptr_t(registers.pc), frame = uintptr_t(registers.regs[29]);
    const auto caller = uintptr_t(registers.regs[30]);
#else
    const uintptr_t pc = 0, frame = 0, caller = 0;
#endif
    fault.frames = 2;
    fault.frame[0] = pc + 1;  // like a return address: readers subtract one
    fault.frame[1] = caller;  // of a function without a frame of its own; else no code address, and ignored
    walk_frames(fault, reinterpret_cast<void**>(frame));
}

static void on_signal(int signal, siginfo_t* info, void* context) {
    const bool alarm = signal == alarm_signal();
    if (launching && alarm) machine.expired = machine.expired + 1;
    if (launching && alarm && machine.expired < kPatience) return;
    if (!launching || !machine.in_kernel) {  // inside the runtime: the scheduler looks at `expired`
        if (!(launching && alarm)) pass_on(signal, info, context);
        return;
    }
    Fiber& fiber = *machine.current;
    auto* address = static_cast<unsigned char*>(info->si_addr);
    Fault* fault;
    if (alarm)
        fault = &fail(kTimeout, "thread %u still runs: the launch took too long", fiber.index);
    else if (signal == SIGSEGV && address < stacks && address >= stacks - kFloor)
        fault = &fail(kStackOverflow, "thread %u overran its stack of %zu bytes", fiber.index, kStackUsable);
    else
        fault = &fail(kCrash, "thread %u: %s", fiber.index, describe(signal));
    interrupted_frames(*fault, context);
    abandon();
}

static void install_handlers() {
    static bool installed = false;
    if (installed) return;
    installed = true;
    struct sigaction action = {};
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;  // never returned from: nothing may stay blocked
    sigemptyset(&action.sa_mask);
    for (int signal : kCaught) sigaction(signal, &action, &previous[signal]);
    action.sa_flags |= SA_RESTART;
    sigaction(alarm_signal(), &action, &previous[alarm_signal()]);
}

// Runs work with the handlers awake; timeout in seconds, 0 for none.
template <class Work>
static void run_guarded(double timeout, Work work) {
    install_handlers();
    static unsigned char alternate[64 * 1024];
    stack_t ours = {}, theirs = {};
    ours.ss_sp = alternate;
    ours.ss_size = sizeof alternate;
    sigaltstack(&ours, &theirs);
    timer_t timer = {};
    bool timed = false;
    machine.expired = 0;
    if (timeout > 0) {
        sigevent event = {};
        event.sigev_notify = SIGEV_THREAD_ID;
        event.sigev_signo = alarm_signal();
        event._sigev_un._tid = pid_t(syscall(SYS_gettid));
        timed = timer_create(CLOCK_MONOTONIC, &event, &timer) == 0;
        itimerspec when = {};
        when.it_value.tv_sec = time_t(timeout);
        when.it_value.tv_nsec = long((timeout - double(when.it_value.tv_sec)) * 1e9);
        when.it_interval.tv_nsec = 10'000'000;  // again, when it met the runtime rather than the kernel
        if (timed) timer_settime(timer, 0, &when, nullptr);
    }
    launching = true;
    work();
    launching = false;
    if (timed) timer_delete(timer);
    if (!(theirs.ss_flags & SS_ONSTACK)) sigaltstack(&theirs, nullptr);
}

}  // namespace fst_host
