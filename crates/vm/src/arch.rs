//! What differs between instruction sets: the way in, the ways out, and the registers of a fault.
//!
//! Each module provides the same names: `enter`, `enter_int`, `enter_int_one`, `enter_in_regs`,
//! `IntArgs`, `FloatArgs`, `unwind`, `land`, `begin`, `go_on`, `go_on_restored`, `KeptRegs`,
//! `SavedRegs`, `ENTRY_BYTES`, the stubs, `stack_pointer`, and the functions on a signal's register state.

#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::{
    ENTRY_BYTES, FloatArgs, IntArgs, KeptRegs, SavedRegs, begin, enter, enter_in_regs, enter_int,
    enter_int_one, fault_frame, fault_pc, fault_sp, go_on, go_on_restored, land, resume_unwinding,
    stack_pointer, start_address, unwind,
};
#[cfg(target_arch = "x86_64")]
pub use x86_64::{
    builtin_stubs, host_call_direct_stub, host_call_stub, host_call_stub_int,
    host_call_stub_suspendable,
};

#[cfg(not(target_arch = "x86_64"))]
compile_error!("selkie-vm has no entry code for this instruction set yet");
