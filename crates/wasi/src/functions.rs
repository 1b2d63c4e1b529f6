//! The table of functions: each named once, with its parameters.
//!
//! From it come the descriptions in [`PREVIEW1`] and [`UNSTABLE`] and the bindings to
//! a linker. A row without a function, or with other parameters than the function's,
//! does not compile.

/// Calls a macro with all functions. Grammar:
///
/// ```text
/// row     = "fn" name "(" { parameter ":" type "," } ")" "->" result "in" modules ";"
/// type    = u32 | u64 | i64          as the function takes it
/// result  = errno | never            an error number for the guest, or no return
/// modules = both                     the same function in either generation
///         | each                     a function of its own in each
///         | new                      in preview 1 only
/// ```
macro_rules! preview1 {
    ($callback:path) => {
        $callback! {
            fn args_get(argv: u32, argv_buf: u32) -> errno in both;
            fn args_sizes_get(argc: u32, argv_buf_size: u32) -> errno in both;
            fn environ_get(environ: u32, environ_buf: u32) -> errno in both;
            fn environ_sizes_get(environc: u32, environ_buf_size: u32) -> errno in both;
            fn clock_res_get(id: u32, resolution: u32) -> errno in both;
            fn clock_time_get(id: u32, precision: u64, time: u32) -> errno in both;
            fn fd_advise(fd: u32, offset: u64, len: u64, advice: u32) -> errno in both;
            fn fd_allocate(fd: u32, offset: u64, len: u64) -> errno in both;
            fn fd_close(fd: u32) -> errno in both;
            fn fd_datasync(fd: u32) -> errno in both;
            fn fd_fdstat_get(fd: u32, stat: u32) -> errno in both;
            fn fd_fdstat_set_flags(fd: u32, flags: u32) -> errno in both;
            fn fd_fdstat_set_rights(fd: u32, base: u64, inheriting: u64) -> errno in both;
            fn fd_filestat_get(fd: u32, stat: u32) -> errno in each;
            fn fd_filestat_set_size(fd: u32, size: u64) -> errno in both;
            fn fd_filestat_set_times(
                fd: u32, atim: u64, mtim: u64, fst_flags: u32
            ) -> errno in both;
            fn fd_pread(
                fd: u32, iovs: u32, iovs_len: u32, offset: u64, nread: u32
            ) -> errno in both;
            fn fd_prestat_get(fd: u32, stat: u32) -> errno in both;
            fn fd_prestat_dir_name(fd: u32, path: u32, path_len: u32) -> errno in both;
            fn fd_pwrite(
                fd: u32, iovs: u32, iovs_len: u32, offset: u64, nwritten: u32
            ) -> errno in both;
            fn fd_read(fd: u32, iovs: u32, iovs_len: u32, nread: u32) -> errno in both;
            fn fd_readdir(
                fd: u32, buf: u32, buf_len: u32, cookie: u64, bufused: u32
            ) -> errno in both;
            fn fd_renumber(fd: u32, to: u32) -> errno in both;
            fn fd_seek(fd: u32, offset: i64, whence: u32, newoffset: u32) -> errno in each;
            fn fd_sync(fd: u32) -> errno in both;
            fn fd_tell(fd: u32, offset: u32) -> errno in both;
            fn fd_write(fd: u32, iovs: u32, iovs_len: u32, nwritten: u32) -> errno in both;
            fn path_create_directory(fd: u32, path: u32, path_len: u32) -> errno in both;
            fn path_filestat_get(
                fd: u32, flags: u32, path: u32, path_len: u32, stat: u32
            ) -> errno in each;
            fn path_filestat_set_times(
                fd: u32, flags: u32, path: u32, path_len: u32, atim: u64, mtim: u64,
                fst_flags: u32
            ) -> errno in both;
            fn path_link(
                old_fd: u32, old_flags: u32, old_path: u32, old_path_len: u32, new_fd: u32,
                new_path: u32, new_path_len: u32
            ) -> errno in both;
            fn path_open(
                fd: u32, dirflags: u32, path: u32, path_len: u32, oflags: u32, base: u64,
                inheriting: u64, fdflags: u32, opened_fd: u32
            ) -> errno in both;
            fn path_readlink(
                fd: u32, path: u32, path_len: u32, buf: u32, buf_len: u32, bufused: u32
            ) -> errno in both;
            fn path_remove_directory(fd: u32, path: u32, path_len: u32) -> errno in both;
            fn path_rename(
                fd: u32, old_path: u32, old_path_len: u32, new_fd: u32, new_path: u32,
                new_path_len: u32
            ) -> errno in both;
            fn path_symlink(
                old_path: u32, old_path_len: u32, fd: u32, new_path: u32, new_path_len: u32
            ) -> errno in both;
            fn path_unlink_file(fd: u32, path: u32, path_len: u32) -> errno in both;
            fn poll_oneoff(
                subscriptions: u32, events: u32, nsubscriptions: u32, nevents: u32
            ) -> errno in each;
            fn proc_exit(code: u32) -> never in both;
            fn proc_raise(signal: u32) -> errno in both;
            fn sched_yield() -> errno in both;
            fn random_get(buf: u32, buf_len: u32) -> errno in both;
            fn sock_accept(fd: u32, flags: u32, connection: u32) -> errno in new;
            fn sock_recv(
                fd: u32, ri_data: u32, ri_data_len: u32, ri_flags: u32, ro_datalen: u32,
                ro_flags: u32
            ) -> errno in both;
            fn sock_send(
                fd: u32, si_data: u32, si_data_len: u32, si_flags: u32, so_datalen: u32
            ) -> errno in both;
            fn sock_shutdown(fd: u32, how: u32) -> errno in both;
        }
    };
}

/// A function of WASI, described.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionInfo {
    /// The name under which a guest imports it.
    pub name: &'static str,
    /// The parameters, in order: name, and type (`u32`, `u64` or `i64`).
    pub params: &'static [(&'static str, &'static str)],
    /// Whether it returns at all; if so, an error number.
    pub returns: bool,
}

macro_rules! describe {
    ($(fn $name:ident($($param:ident: $type:ident),*) -> $result:ident in $modules:ident;)*) => {
        /// Every function of `wasi_snapshot_preview1`.
        pub const PREVIEW1: &[FunctionInfo] = &[$(FunctionInfo {
            name: stringify!($name),
            params: &[$((stringify!($param), stringify!($type))),*],
            returns: matches!(stringify!($result).as_bytes(), b"errno"),
        },)*];

        /// Every function of `wasi_unstable`, in the order of its successor's.
        pub const UNSTABLE: &[FunctionInfo] = &old::<{ PREVIEW1.len() - 1 }>(&[
            $(matches!(stringify!($modules).as_bytes(), b"new"),)*
        ]);
    };
}

/// The rows of [`PREVIEW1`] that are not marked as new.
const fn old<const N: usize>(is_new: &[bool]) -> [FunctionInfo; N] {
    let mut out = [PREVIEW1[0]; N];
    let (mut from, mut to) = (0, 0);
    while from < PREVIEW1.len() {
        if !is_new[from] {
            out[to] = PREVIEW1[from];
            to += 1;
        }
        from += 1;
    }
    assert!(to == N, "the length of the older table is that of its rows");
    out
}

preview1!(describe);

pub(crate) use preview1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_forty_six_functions_and_forty_five_before() {
        assert_eq!((PREVIEW1.len(), UNSTABLE.len()), (46, 45));
        assert!(UNSTABLE.iter().all(|function| function.name != "sock_accept"));
    }

    #[test]
    fn only_proc_exit_does_not_return() {
        let never: Vec<_> = PREVIEW1.iter().filter(|f| !f.returns).map(|f| f.name).collect();
        assert_eq!(never, ["proc_exit"]);
    }
}
