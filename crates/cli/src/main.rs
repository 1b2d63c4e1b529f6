//! The binary `selkie`. Its exit status is the guest's own, 134 after a trap or an exception, 124 when its time is over, 2 for a command
//! line that cannot be understood, and 1 for any other error.
#![forbid(unsafe_code)]

fn main() {
    // As Rust does with SIGPIPE: those who write are told, and clean up.
    selkie_vm::ignore_file_size_signal();
    let status = selkie_cli::main(std::env::args_os().skip(1));
    // Not by returning: nothing is left that would have to be dropped, and that takes time.
    std::process::exit(i32::from(status));
}
