//! Functions on descriptors, called directly: what they do, and each way they refuse.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/ground.rs"]
mod support;

use selkie_wasi::{Capture, Errno, Output, PathWalk, Stdin, WasiCtx, preview1, unstable};
use std::fs;
use support::*;

const SET: u32 = 0;
const CUR: u32 = 1;
const END: u32 = 2;
const FAR: u32 = 1 << 20;

fn guest() -> (TempDir, Guest) {
    let temp = TempDir::new();
    fs::write(temp.join("file"), b"0123456789").unwrap();
    fs::create_dir(temp.join("dir")).unwrap();
    let guest = Guest::new(temp.path(), PathWalk::Auto);
    (temp, guest)
}

#[test]
fn a_number_that_is_not_open_is_badf_everywhere() {
    let (_temp, mut guest) = guest();
    for fd in [4, 100, u32::MAX, -31337_i32 as u32] {
        let (cx, mem) = (&mut guest.cx, &mut guest.mem[..]);
        let badf = Err(Errno::BADF);
        assert_eq!(preview1::fd_advise(cx, mem, fd, 0, 0, 0), badf);
        assert_eq!(preview1::fd_allocate(cx, mem, fd, 0, 1), badf);
        assert_eq!(preview1::fd_close(cx, mem, fd), badf);
        assert_eq!(preview1::fd_datasync(cx, mem, fd), badf);
        assert_eq!(preview1::fd_fdstat_get(cx, mem, fd, 0), badf);
        assert_eq!(preview1::fd_fdstat_set_flags(cx, mem, fd, 0), badf);
        assert_eq!(preview1::fd_fdstat_set_rights(cx, mem, fd, 0, 0), badf);
        assert_eq!(preview1::fd_filestat_get(cx, mem, fd, 0), badf);
        assert_eq!(preview1::fd_filestat_set_size(cx, mem, fd, 0), badf);
        assert_eq!(preview1::fd_filestat_set_times(cx, mem, fd, 0, 0, 0), badf);
        assert_eq!(preview1::fd_pread(cx, mem, fd, 0, 0, 0, 0), badf);
        assert_eq!(preview1::fd_prestat_get(cx, mem, fd, 0), badf);
        assert_eq!(preview1::fd_prestat_dir_name(cx, mem, fd, 0, 9), badf);
        assert_eq!(preview1::fd_pwrite(cx, mem, fd, 0, 0, 0, 0), badf);
        assert_eq!(preview1::fd_read(cx, mem, fd, 0, 0, 0), badf);
        assert_eq!(preview1::fd_readdir(cx, mem, fd, 0, 0, 0, 0), badf);
        assert_eq!(preview1::fd_renumber(cx, mem, fd, 0), badf);
        assert_eq!(preview1::fd_renumber(cx, mem, 0, fd), badf);
        assert_eq!(preview1::fd_seek(cx, mem, fd, 0, 0, 0), badf);
        assert_eq!(preview1::fd_sync(cx, mem, fd), badf);
        assert_eq!(preview1::fd_tell(cx, mem, fd, 0), badf);
        assert_eq!(preview1::fd_write(cx, mem, fd, 0, 0, 0), badf);
        assert_eq!(preview1::path_open(cx, mem, fd, 0, 0, 1, 0, 0, 0, 0, 0), badf);
        assert_eq!(preview1::path_create_directory(cx, mem, fd, 0, 1), badf);
        assert_eq!(preview1::path_filestat_get(cx, mem, fd, 0, 0, 1, 0), badf);
        assert_eq!(preview1::path_filestat_set_times(cx, mem, fd, 0, 0, 1, 0, 0, 0), badf);
        assert_eq!(preview1::path_link(cx, mem, fd, 0, 0, 1, 3, 0, 1), badf);
        assert_eq!(preview1::path_link(cx, mem, 3, 0, 0, 1, fd, 0, 1), badf);
        assert_eq!(preview1::path_readlink(cx, mem, fd, 0, 1, 0, 0, 0), badf);
        assert_eq!(preview1::path_remove_directory(cx, mem, fd, 0, 1), badf);
        assert_eq!(preview1::path_rename(cx, mem, fd, 0, 1, 3, 0, 1), badf);
        assert_eq!(preview1::path_rename(cx, mem, 3, 0, 1, fd, 0, 1), badf);
        assert_eq!(preview1::path_symlink(cx, mem, 0, 1, fd, 0, 1), badf);
        assert_eq!(preview1::path_unlink_file(cx, mem, fd, 0, 1), badf);
        assert_eq!(preview1::sock_accept(cx, mem, fd, 0, 0), badf);
        assert_eq!(preview1::sock_recv(cx, mem, fd, 0, 0, 0, 0, 8), badf);
        assert_eq!(preview1::sock_send(cx, mem, fd, 0, 0, 0, 0), badf);
        assert_eq!(preview1::sock_shutdown(cx, mem, fd, 1), badf);
    }
}

#[test]
fn pointers_outside_of_memory_are_a_fault_and_change_nothing() {
    let (temp, mut guest) = guest();
    let file = guest.create("file", 0).unwrap();
    let (cx, mem) = (&mut guest.cx, &mut guest.mem[..]);
    let fault = Err(Errno::FAULT);
    mem[..4].copy_from_slice(b"name");
    for at in [FAR, FAR - 1, u32::MAX] {
        assert_eq!(preview1::fd_fdstat_get(cx, mem, file, at), fault);
        assert_eq!(preview1::fd_filestat_get(cx, mem, file, at), fault);
        assert_eq!(preview1::fd_prestat_get(cx, mem, 3, at), fault);
        assert_eq!(preview1::fd_prestat_dir_name(cx, mem, 3, FAR, 1), fault);
        assert_eq!(preview1::fd_read(cx, mem, file, at, 1, 0), fault);
        assert_eq!(preview1::fd_read(cx, mem, file, 64, 0, at), fault);
        assert_eq!(preview1::fd_pread(cx, mem, file, at, 1, 0, 0), fault);
        assert_eq!(preview1::fd_write(cx, mem, file, at, 1, 0), fault);
        assert_eq!(preview1::fd_write(cx, mem, file, 64, 0, at), fault);
        assert_eq!(preview1::fd_pwrite(cx, mem, file, at, 1, 0, 0), fault);
        assert_eq!(preview1::fd_readdir(cx, mem, 3, at, 100, 0, 0), fault);
        assert_eq!(preview1::fd_readdir(cx, mem, 3, 64, 100, 0, at), fault);
        assert_eq!(preview1::fd_seek(cx, mem, file, 5, SET, at), fault);
        assert_eq!(preview1::fd_tell(cx, mem, file, at), fault);
        assert_eq!(preview1::path_open(cx, mem, 3, 0, 0, 4, CREAT, ALL, 0, 0, at), fault);
        assert_eq!(preview1::path_open(cx, mem, 3, 0, at, 4, CREAT, ALL, 0, 0, 0), fault);
        assert_eq!(preview1::path_create_directory(cx, mem, 3, at, 4), fault);
        assert_eq!(preview1::path_filestat_get(cx, mem, 3, 0, at, 4, 0), fault);
        assert_eq!(preview1::path_link(cx, mem, 3, 0, at, 4, 3, 0, 4), fault);
        assert_eq!(preview1::path_link(cx, mem, 3, 0, 0, 4, 3, at, 4), fault);
        assert_eq!(preview1::path_readlink(cx, mem, 3, 0, 4, at, 4, 0), fault);
        assert_eq!(preview1::path_rename(cx, mem, 3, 0, 4, 3, at, 4), fault);
        assert_eq!(preview1::path_symlink(cx, mem, at, 4, 3, 0, 4), fault);
        assert_eq!(preview1::path_unlink_file(cx, mem, 3, at, 4), fault);
        assert_eq!(preview1::random_get(cx, mem, at, 2), fault);
        assert_eq!(preview1::clock_time_get(cx, mem, 0, 0, at), fault);
        assert_eq!(preview1::clock_res_get(cx, mem, 0, at), fault);
        assert_eq!(preview1::args_sizes_get(cx, mem, 0, at), fault);
        assert_eq!(preview1::environ_sizes_get(cx, mem, at, 0), fault);
        assert_eq!(preview1::poll_oneoff(cx, mem, at, 0, 1, 0), fault);
        assert_eq!(preview1::poll_oneoff(cx, mem, 0, at, 1, 0), fault);
        assert_eq!(preview1::poll_oneoff(cx, mem, 0, 0, 1, at), fault);
    }
    // Lengths whose sum or product overflows.
    assert_eq!(preview1::fd_write(cx, mem, file, 0, u32::MAX, 0), fault);
    assert_eq!(preview1::fd_write(cx, mem, file, 0, 0x2000_0000, 0), fault);
    assert_eq!(preview1::random_get(cx, mem, 1, u32::MAX), fault);
    assert_eq!(preview1::path_unlink_file(cx, mem, 3, 8, u32::MAX), fault);
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 2);
    assert_eq!(guest.tell(file).unwrap(), 0);
}

#[test]
fn reading_and_writing_move_one_offset() {
    let (_temp, mut guest) = guest();
    let fd = guest.create("file", 0).unwrap();
    assert_eq!(guest.read(fd, 3).unwrap(), b"012");
    assert_eq!(guest.tell(fd).unwrap(), 3);
    assert_eq!(guest.write(fd, b"xy").unwrap(), 2);
    assert_eq!(guest.tell(fd).unwrap(), 5);
    assert_eq!(guest.read(fd, 100).unwrap(), b"56789");
    assert_eq!(guest.read(fd, 100).unwrap(), b"");
    assert_eq!(guest.seek(fd, -8, END).unwrap(), 2);
    assert_eq!(guest.read(fd, 4).unwrap(), b"2xy5");
    assert_eq!(guest.pread(fd, 2, 0).unwrap(), b"01");
    assert_eq!(guest.pwrite(fd, b"!", 12).unwrap(), 1);
    assert_eq!(guest.tell(fd).unwrap(), 6);
    assert_eq!(guest.seek(fd, 0, SET).unwrap(), 0);
    assert_eq!(guest.read(fd, 100).unwrap(), b"012xy56789\0\0!");
}

#[test]
fn seeking_refuses_what_cannot_be() {
    let (_temp, mut guest) = guest();
    let fd = guest.create("file", 0).unwrap();
    for _ in 0..2 {
        assert_eq!(guest.seek(fd, -1, SET), Err(Errno::INVAL));
        assert_eq!(guest.seek(fd, -1, CUR), Err(Errno::INVAL));
        assert_eq!(guest.seek(fd, -11, END), Err(Errno::INVAL));
        assert_eq!(guest.seek(fd, 0, 3), Err(Errno::INVAL));
        assert_eq!(guest.seek(fd, i64::MIN, CUR), Err(Errno::INVAL));
        assert_eq!(guest.seek(fd, 1 << 40, SET), Ok(1 << 40));
        assert!(guest.seek(fd, i64::MAX, CUR).is_err());
        assert_eq!(guest.tell(fd), Ok(1 << 40));
        assert_eq!(guest.seek(fd, 0, SET), Ok(0));
    }
    let dir = guest.open("dir").unwrap();
    assert_eq!(guest.seek(dir, 0, CUR), Err(Errno::ISDIR));
    assert_eq!(guest.seek(dir, 0, SET), Err(Errno::ISDIR));
    assert_eq!(guest.tell(dir), Err(Errno::ISDIR));
    assert_eq!(guest.tell(3), Err(Errno::ISDIR));
    assert_eq!(guest.tell(0), Err(Errno::SPIPE));
    assert_eq!(guest.seek(1, 0, END), Err(Errno::SPIPE));
    assert_eq!(guest.pread(0, 1, 0), Err(Errno::SPIPE));
    assert_eq!(guest.pwrite(1, b"x", 0), Err(Errno::SPIPE));
}

#[test]
fn the_right_to_tell_is_enough_to_ask_but_not_to_move() {
    let (_temp, mut guest) = guest();
    let only_tell = READ | 1 << 5;
    let fd = guest.open_full(3, 0, "file", 0, only_tell, 0).unwrap();
    assert_eq!(guest.read(fd, 4).unwrap(), b"0123");
    assert_eq!(guest.tell(fd), Ok(4));
    assert_eq!(guest.seek(fd, 0, CUR), Ok(4));
    assert_eq!(guest.seek(fd, 1, CUR), Err(Errno::NOTCAPABLE));
    assert_eq!(guest.seek(fd, 0, SET), Err(Errno::NOTCAPABLE));
    assert_eq!(guest.pread(fd, 1, 0), Err(Errno::NOTCAPABLE));
    let fd = guest.open_full(3, 0, "file", 0, READ, 0).unwrap();
    assert_eq!(guest.tell(fd), Err(Errno::NOTCAPABLE));
}

#[test]
fn appending_goes_to_the_end_whatever_the_offset() {
    let (temp, mut guest) = guest();
    let fd = guest.open_full(3, 0, "file", 0, ALL, 1).unwrap();
    assert_eq!(guest.seek(fd, 2, SET), Ok(2));
    assert_eq!(guest.write(fd, b"ab"), Ok(2));
    assert_eq!(guest.tell(fd), Ok(12));
    assert_eq!(guest.seek(fd, 0, SET), Ok(0));
    assert_eq!(guest.write(fd, b"cd"), Ok(2));
    assert_eq!(fs::read(temp.join("file")).unwrap(), b"0123456789abcd");
    // Turned off, writing happens where the offset is; turned on again, at the end.
    preview1::fd_fdstat_set_flags(&mut guest.cx, &mut [], fd, 0).unwrap();
    assert_eq!(guest.seek(fd, 1, SET), Ok(1));
    assert_eq!(guest.write(fd, b"X"), Ok(1));
    assert_eq!(guest.fdstat(fd).unwrap().1, 0);
    preview1::fd_fdstat_set_flags(&mut guest.cx, &mut [], fd, 1).unwrap();
    assert_eq!(guest.tell(fd), Ok(2));
    assert_eq!(guest.write(fd, b"Y"), Ok(1));
    assert_eq!(guest.fdstat(fd).unwrap().1, 1);
    assert_eq!(fs::read(temp.join("file")).unwrap(), b"0X23456789abcdY");
}

#[test]
fn several_buffers_are_one_transfer() {
    let (temp, mut guest) = guest();
    let fd = guest.create("file", 0).unwrap();
    for (index, (ptr, len)) in [(5000, 2), (4000, 0), (4500, 3)].into_iter().enumerate() {
        guest.set_u32(256 + index as u32 * 8, ptr);
        guest.set_u32(260 + index as u32 * 8, len);
    }
    preview1::fd_read(&mut guest.cx, &mut guest.mem, fd, 256, 3, 64).unwrap();
    assert_eq!(guest.u32(64), 5);
    assert_eq!((&guest.mem[5000..5002], &guest.mem[4500..4503]), (&b"01"[..], &b"234"[..]));
    preview1::fd_pwrite(&mut guest.cx, &mut guest.mem, fd, 256, 3, 5, 64).unwrap();
    assert_eq!(guest.u32(64), 5);
    assert_eq!(fs::read(temp.join("file")).unwrap(), b"0123401234");
    preview1::fd_pread(&mut guest.cx, &mut guest.mem, fd, 256, 3, 1, 64).unwrap();
    assert_eq!((&guest.mem[5000..5002], &guest.mem[4500..4503]), (&b"12"[..], &b"340"[..]));
    guest.set_u32(256 + 16, 5001);
    let overlapping = preview1::fd_read(&mut guest.cx, &mut guest.mem, fd, 256, 3, 64);
    assert_eq!(overlapping, Err(Errno::FAULT));
    // To write from overlapping buffers is harmless.
    preview1::fd_write(&mut guest.cx, &mut guest.mem, fd, 256, 3, 64).unwrap();
    assert_eq!(guest.u32(64), 5);
}

#[test]
fn how_a_file_was_opened_decides_what_can_be_done() {
    let (_temp, mut guest) = guest();
    let read = guest.open_full(3, 0, "file", 0, READ, 0).unwrap();
    assert_eq!(guest.write(read, b"x"), Err(Errno::NOTCAPABLE));
    let write = guest.open_full(3, 0, "file", 0, WRITE, 0).unwrap();
    assert_eq!(guest.read(write, 1), Err(Errno::NOTCAPABLE));
    assert_eq!(guest.write(write, b"x"), Ok(1));
    let none = guest.open_full(3, 0, "file", 0, 0, 0).unwrap();
    assert_eq!(guest.read(none, 1), Err(Errno::NOTCAPABLE));
    assert_eq!(guest.filestat(none), Err(Errno::NOTCAPABLE));
    assert_eq!(guest.fdstat(none).unwrap().0, 4);
    let dir = guest.open("dir").unwrap();
    assert_eq!(guest.read(dir, 1), Err(Errno::ISDIR));
    assert_eq!(guest.create("dir", 0), Err(Errno::ISDIR));
    assert_eq!(guest.read(1, 1), Err(Errno::NOTCAPABLE));
    assert_eq!(guest.write(0, b"x"), Err(Errno::NOTCAPABLE));
}

#[test]
fn rights_are_dropped_and_never_regained() {
    let (_temp, mut guest) = guest();
    let fd = guest.create("file", 0).unwrap();
    let (_, _, base, inheriting) = guest.fdstat(fd).unwrap();
    assert_eq!(base & (READ | WRITE), READ | WRITE);
    let set = |guest: &mut Guest, base, inheriting| {
        preview1::fd_fdstat_set_rights(&mut guest.cx, &mut guest.mem, fd, base, inheriting)
    };
    assert_eq!(set(&mut guest, base | 1 << 13, inheriting), Err(Errno::NOTCAPABLE));
    assert_eq!(set(&mut guest, base & !READ, inheriting), Ok(()));
    assert_eq!(guest.read(fd, 1), Err(Errno::NOTCAPABLE));
    assert_eq!(guest.write(fd, b"x"), Ok(1));
    assert_eq!(set(&mut guest, base, inheriting), Err(Errno::NOTCAPABLE));
    assert_eq!(guest.fdstat(fd).unwrap().2, base & !READ);

    let dir = guest.open_full(3, 0, "dir", DIRECTORY, NEUTRAL, 0).unwrap();
    let (_, _, base, inheriting) = guest.fdstat(dir).unwrap();
    let (cx, mem) = (&mut guest.cx, &mut guest.mem[..]);
    preview1::fd_fdstat_set_rights(cx, mem, dir, base, inheriting & !WRITE).unwrap();
    assert_eq!(guest.open_full(dir, 0, "new", CREAT, ALL, 0), Err(Errno::NOTCAPABLE));
    assert!(guest.open_full(dir, 0, "new", CREAT, READ, 0).is_ok());
    let (cx, mem) = (&mut guest.cx, &mut guest.mem[..]);
    preview1::fd_fdstat_set_rights(cx, mem, dir, base & !(1 << 10), 0).unwrap();
    assert_eq!(guest.open_full(dir, 0, "other", CREAT, 0, 0), Err(Errno::NOTCAPABLE));
    assert!(guest.open_full(dir, 0, "new", 0, 0, 0).is_ok());
}

#[test]
fn a_directory_has_the_rights_programs_look_for() {
    let (_temp, mut guest) = guest();
    let (filetype, flags, base, inheriting) = guest.fdstat(3).unwrap();
    assert_eq!((filetype, flags), (3, 0));
    // Not to read, seek, write, advise, allocate or resize it; nor to read it as a file.
    let file_only = READ | WRITE | 1 << 2 | 1 << 5 | 1 << 7 | 1 << 8 | 1 << 22;
    assert_eq!(base & file_only, 0);
    assert_eq!(inheriting & (base | file_only), base | file_only);
    // It can be opened again with just what it has.
    let again = guest.open_full(3, 0, ".", DIRECTORY, base, 0).unwrap();
    assert_eq!(guest.fdstat(again).unwrap(), (3, 0, base, inheriting));
    let result = guest.open_full(3, 0, ".", DIRECTORY, READ | WRITE, 0);
    assert_eq!(result, Err(Errno::ISDIR));
    let seek_right = guest.open_full(3, 0, "dir", DIRECTORY, 1 << 2, 0).unwrap();
    assert_eq!(guest.fdstat(seek_right).unwrap().2, 0);
}

#[test]
fn flags_that_are_set_at_open_cannot_be_set_later() {
    let (_temp, mut guest) = guest();
    let fd = guest.open_full(3, 0, "file", 0, ALL, 1 << 4).unwrap();
    assert_eq!(guest.fdstat(fd).unwrap().1, 1 << 4);
    let (cx, mem) = (&mut guest.cx, &mut guest.mem[..]);
    assert_eq!(preview1::fd_fdstat_set_flags(cx, mem, fd, 0), Err(Errno::NOTSUP));
    assert_eq!(preview1::fd_fdstat_set_flags(cx, mem, fd, 1 << 4 | 4), Ok(()));
    assert_eq!(preview1::fd_fdstat_set_flags(cx, mem, fd, 1 << 5), Err(Errno::INVAL));
    assert_eq!(preview1::fd_fdstat_set_flags(cx, mem, fd, 1 << 16), Err(Errno::INVAL));
    assert_eq!(guest.fdstat(fd).unwrap().1, 1 << 4 | 4);
}

#[test]
fn sizes_are_set_and_room_is_made() {
    let (_temp, mut guest) = guest();
    let fd = guest.create("new", CREAT).unwrap();
    let (cx, mem) = (&mut guest.cx, &mut guest.mem[..]);
    assert_eq!(preview1::fd_filestat_set_size(cx, mem, fd, 100), Ok(()));
    assert_eq!(preview1::fd_filestat_set_size(cx, mem, fd, u64::MAX), Err(Errno::FBIG));
    assert_eq!(preview1::fd_advise(cx, mem, fd, 10, 50, 0), Ok(()));
    assert_eq!(preview1::fd_advise(cx, mem, fd, 10, 0, 5), Ok(()));
    assert_eq!(preview1::fd_advise(cx, mem, fd, 10, 50, 6), Err(Errno::INVAL));
    assert_eq!(preview1::fd_advise(cx, mem, fd, u64::MAX, 50, 0), Err(Errno::INVAL));
    assert_eq!(preview1::fd_allocate(cx, mem, fd, 90, 20), Ok(()));
    assert_eq!(preview1::fd_allocate(cx, mem, fd, 0, 10), Ok(()));
    assert_eq!(preview1::fd_allocate(cx, mem, fd, 0, 0), Err(Errno::INVAL));
    assert_eq!(preview1::fd_allocate(cx, mem, fd, 10, i64::MAX as u64), Err(Errno::FBIG));
    assert_eq!(preview1::fd_allocate(cx, mem, fd, 10, u64::MAX), Err(Errno::FBIG));
    assert_eq!(preview1::fd_sync(cx, mem, fd), Ok(()));
    assert_eq!(preview1::fd_datasync(cx, mem, fd), Ok(()));
    assert_eq!(preview1::fd_sync(cx, mem, 1), Ok(()));
    let isdir = Err(Errno::ISDIR);
    assert_eq!(preview1::fd_filestat_set_size(cx, mem, 3, 1), isdir);
    assert_eq!(preview1::fd_allocate(cx, mem, 3, 0, 1), isdir);
    assert_eq!(preview1::fd_advise(cx, mem, 3, 0, 1, 0), isdir);
    assert_eq!(guest.filestat(fd).unwrap().1, 110);
    let dir = guest.open("dir").unwrap();
    let (cx, mem) = (&mut guest.cx, &mut guest.mem[..]);
    assert_eq!(preview1::fd_allocate(cx, mem, dir, 0, 1), isdir);
}

#[test]
fn times_are_set_as_the_flags_say() {
    let (_temp, mut guest) = guest();
    let fd = guest.create("file", 0).unwrap();
    let (cx, mem) = (&mut guest.cx, &mut guest.mem[..]);
    for flags in [1 | 2, 4 | 8, 15, 16, 1 << 16] {
        let set = preview1::fd_filestat_set_times(cx, mem, fd, 5, 5, flags);
        assert_eq!(set, Err(Errno::INVAL), "{flags}");
    }
    assert_eq!(guest.set_times("file", 0, 3), Err(Errno::INVAL));
    let (cx, mem) = (&mut guest.cx, &mut guest.mem[..]);
    preview1::fd_filestat_set_times(cx, mem, fd, 2_000_000_001, 3_000_000_002, 1 | 4).unwrap();
    let times = |guest: &mut Guest| {
        guest.filestat(fd).unwrap();
        (guest.u64(DATA + 40), guest.u64(DATA + 48))
    };
    assert_eq!(times(&mut guest), (2_000_000_001, 3_000_000_002));
    preview1::fd_filestat_set_times(&mut guest.cx, &mut [], fd, 7, 7, 1).unwrap();
    assert_eq!(times(&mut guest), (7, 3_000_000_002));
    preview1::fd_filestat_set_times(&mut guest.cx, &mut [], fd, 7, 7, 8).unwrap();
    let (atim, mtim) = times(&mut guest);
    assert!(atim == 7 && mtim > 1_600_000_000_000_000_000);
}

#[test]
fn a_preopened_directory_tells_its_name() {
    let (_temp, mut guest) = guest();
    let fd = guest.open("file").unwrap();
    let (cx, mem) = (&mut guest.cx, &mut guest.mem[..]);
    assert_eq!(preview1::fd_prestat_get(cx, mem, 3, 64), Ok(()));
    assert_eq!(mem[64..72], [0, 0, 0, 0, 1, 0, 0, 0]);
    assert_eq!(preview1::fd_prestat_dir_name(cx, mem, 3, 80, 0), Err(Errno::NAMETOOLONG));
    assert_eq!(preview1::fd_prestat_dir_name(cx, mem, 3, 80, 9), Ok(()));
    assert_eq!(mem[80..82], [b'/', 0]);
    assert_eq!(preview1::fd_prestat_get(cx, mem, 0, 64), Err(Errno::BADF));
    assert_eq!(preview1::fd_prestat_get(cx, mem, fd, 64), Err(Errno::BADF));
    assert_eq!(preview1::fd_prestat_dir_name(cx, mem, fd, 64, 9), Err(Errno::BADF));
    assert_eq!(preview1::fd_close(cx, mem, 3), Ok(()));
    assert_eq!(preview1::fd_prestat_get(cx, mem, 3, 64), Err(Errno::BADF));
}

#[test]
fn directories_are_listed_through_buffers_of_any_size() {
    let (temp, mut guest) = guest();
    let dir = guest.open("dir").unwrap();
    let names: Vec<_> = guest.list(dir, 4096).unwrap();
    assert_eq!(names.len(), 2);
    for index in 0..1500 {
        fs::write(temp.join("dir").join(format!("a rather long file name {index}")), "").unwrap();
    }
    std::os::unix::fs::symlink("x", temp.join("dir/link")).unwrap();
    fs::create_dir(temp.join("dir/sub")).unwrap();
    let ino = guest.filestat(dir).unwrap().2;
    let mut expected = guest.list(dir, 500_000).unwrap();
    assert_eq!(expected.len(), 1504);
    let find = |name: &str| expected.iter().find(|entry| entry.0 == name).unwrap().clone();
    assert_eq!((find(".").1, find(".").2), (3, ino));
    assert_eq!((find("..").1, find("..").2), (3, ino));
    assert_eq!((find("link").1, find("sub").1), (7, 3));
    assert_eq!(find("a rather long file name 7").1, 4);
    expected.sort();
    for len in [60, 100, 256, 1000, 4096, 65536] {
        let mut entries = guest.list(dir, len).unwrap();
        entries.sort();
        assert_eq!(entries, expected, "{len}");
    }
    // A buffer that does not hold even the head of an entry gets a part of it.
    assert_eq!(guest.readdir(dir, 10, 0), Ok(10));
    assert_eq!(guest.readdir(dir, 0, 0), Ok(0));
    assert_eq!(guest.readdir(dir, 100, u64::MAX), Ok(0));
    let file = guest.open("file").unwrap();
    assert_eq!(guest.readdir(file, 100, 0), Err(Errno::NOTDIR));
    assert!(guest.readdir(0, 100, 0).is_err());
}

#[test]
fn a_cookie_leads_back_to_its_place() {
    let (temp, mut guest) = guest();
    for index in 0..1000 {
        fs::write(temp.join("dir").join(format!("file {index}")), "").unwrap();
    }
    let dir = guest.open("dir").unwrap();
    let used = guest.readdir(dir, 200_000, 0).unwrap();
    let mut places = Vec::new();
    let (mut at, mut cookie) = (0, 0);
    while at < used {
        let end = at + 24 + guest.u32(DATA + at + 16);
        places.push((cookie, guest.mem[(DATA + at) as usize..(DATA + end) as usize].to_vec()));
        cookie = guest.u64(DATA + at);
        at = end;
    }
    assert_eq!(places.len(), 1002);
    // Back and forth, near and far, after the end was seen.
    for index in [0, 1001, 1, 1000, 500, 501, 499, 3, 4, 5, 4, 999, 0] {
        let (cookie, entry) = &places[index];
        let used = guest.readdir(dir, entry.len() as u32, *cookie).unwrap();
        assert_eq!(&guest.mem[DATA as usize..][..used as usize], &entry[..], "{index}");
    }
    assert_eq!(guest.readdir(dir, 100, cookie), Ok(0));
    // A 32-bit guest keeps half of a cookie and must find its place all the same.
    assert!(places.iter().all(|place| place.0 < 1 << 31));
    fs::write(temp.join("dir/late"), "").unwrap();
    assert!(guest.list(dir, 4096).unwrap().iter().any(|entry| entry.0 == "late"));
}

#[test]
fn reading_on_misses_nothing_while_entries_are_removed() {
    let (temp, mut guest) = guest();
    for index in 0..3000 {
        fs::write(temp.join("dir").join(format!("file {index}")), "").unwrap();
    }
    let dir = guest.open("dir").unwrap();
    let (mut cookie, mut removed) = (0, 0);
    loop {
        let used = guest.readdir(dir, 1000, cookie).unwrap();
        let mut at = 0;
        while at + 24 <= used && at + 24 + guest.u32(DATA + at + 16) <= used {
            let len = guest.u32(DATA + at + 16);
            let name = guest.mem[(DATA + at + 24) as usize..][..len as usize].to_vec();
            cookie = guest.u64(DATA + at);
            at += 24 + len;
            if name.starts_with(b"file") {
                let name = String::from_utf8(name).unwrap();
                fs::remove_file(temp.join("dir").join(name)).unwrap();
                removed += 1;
            }
        }
        if used < 1000 {
            break;
        }
    }
    assert_eq!(removed, 3000);
}

#[test]
fn renumbering_closes_the_target() {
    let (_temp, mut guest) = guest();
    let one = guest.open("file").unwrap();
    let two = guest.open("dir").unwrap();
    preview1::fd_renumber(&mut guest.cx, &mut [], one, two).unwrap();
    assert_eq!(guest.close(one), Err(Errno::BADF));
    assert_eq!(guest.read(two, 2).unwrap(), b"01");
    preview1::fd_renumber(&mut guest.cx, &mut [], two, 3).unwrap();
    assert_eq!(guest.open("file"), Err(Errno::NOTDIR));
    assert_eq!(guest.read(3, 2).unwrap(), b"23");
    preview1::fd_renumber(&mut guest.cx, &mut [], 3, 3).unwrap();
    assert_eq!(guest.read(3, 2).unwrap(), b"45");
}

#[test]
fn the_number_of_descriptors_is_limited() {
    let temp = TempDir::new();
    fs::write(temp.join("file"), b"").unwrap();
    let (dirs, files) = (selkie_wasi::DirPerms::all(), selkie_wasi::FilePerms::all());
    let mut builder = WasiCtx::builder();
    builder.preopened_dir(temp.path(), "/", dirs, files).unwrap().descriptor_limit(6);
    let mut guest = Guest::from(builder.build());
    assert_eq!((guest.open("file"), guest.open("file")), (Ok(4), Ok(5)));
    assert_eq!(guest.open("file"), Err(Errno::NFILE));
    assert_eq!(guest.create("new", CREAT), Err(Errno::NFILE));
    assert!(!temp.join("new").exists());
    guest.close(4).unwrap();
    assert_eq!(guest.open("file"), Ok(4));
}

#[test]
fn standard_streams_can_be_memory() {
    let (out, err) = (Capture::new(100), Capture::new(3));
    let mut guest = Guest::from(
        WasiCtx::builder()
            .stdin(Stdin::Bytes(b"input".to_vec()))
            .stdout(Output::Capture(out.clone()))
            .stderr(Output::Capture(err.clone()))
            .build(),
    );
    assert_eq!(guest.read(0, 3).unwrap(), b"inp");
    assert_eq!(guest.read(0, 9).unwrap(), b"ut");
    assert_eq!(guest.read(0, 9).unwrap(), b"");
    assert_eq!(guest.write(1, b"out"), Ok(3));
    assert_eq!(guest.write(2, b"error"), Ok(3));
    assert_eq!(guest.write(2, b"or"), Err(Errno::NOSPC));
    assert_eq!((out.contents(), err.contents()), (b"out".to_vec(), b"err".to_vec()));
    guest.close(1).unwrap();
    assert_eq!(guest.write(1, b"x"), Err(Errno::BADF));
    assert_eq!(guest.open("x"), Err(Errno::BADF));
    assert_eq!(guest.open_full(0, 0, "x", 0, 0, 0), Err(Errno::NOTCAPABLE));
}

#[test]
fn a_pipe_whose_reader_is_gone_is_a_broken_pipe() {
    let (temp, mut guest) = guest();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        temp.join("fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    let reader = guest.open_full(3, 0, "fifo", 0, NEUTRAL | READ, 4).unwrap();
    let writer = guest.create("fifo", 0).unwrap();
    assert_eq!(guest.read(reader, 10), Err(Errno::AGAIN));
    assert_eq!(guest.write(writer, b"data"), Ok(4));
    assert_eq!(guest.read(reader, 10).unwrap(), b"data");
    assert_eq!(guest.tell(reader), Err(Errno::SPIPE));
    assert_eq!(guest.fdstat(reader).unwrap().0, 0);
    // `writer` was opened for both directions and is a reader itself: one that only
    // writes sees the end.
    let only_writer = guest.open_full(3, 0, "fifo", 0, NEUTRAL | WRITE, 0).unwrap();
    guest.close(writer).unwrap();
    guest.close(reader).unwrap();
    assert_eq!(guest.write(only_writer, b"data"), Err(Errno::PIPE));
}

#[test]
fn the_predecessor_lays_out_and_counts_otherwise() {
    let (_temp, mut guest) = guest();
    let fd = guest.create("file", 0).unwrap();
    let (cx, mem) = (&mut guest.cx, &mut guest.mem[..]);
    let at = DATA as usize;
    mem[at..at + 64].fill(0xee);
    unstable::fd_filestat_get(cx, mem, fd, DATA).unwrap();
    assert_eq!(mem[at + 16], 4);
    assert_eq!(mem[at + 20..at + 32], [1, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(mem[at + 56..at + 64], [0xee; 8]);
    mem[..4].copy_from_slice(b"file");
    mem[at..at + 64].fill(0xee);
    unstable::path_filestat_get(cx, mem, 3, 0, 0, 4, DATA).unwrap();
    assert_eq!(mem[at + 24], 10);
    assert_eq!(mem[at + 56..at + 64], [0xee; 8]);
    // 0 is the offset, 1 the end, 2 the beginning.
    unstable::fd_seek(cx, mem, fd, -3, 1, 64).unwrap();
    unstable::fd_seek(cx, mem, fd, -2, 0, 64).unwrap();
    assert_eq!(mem[64], 5);
    unstable::fd_seek(cx, mem, fd, 4, 2, 64).unwrap();
    assert_eq!(mem[64], 4);
    assert_eq!(unstable::fd_seek(cx, mem, fd, 4, 3, 64), Err(Errno::INVAL));
}

#[test]
fn opening_checks_its_flags() {
    let (temp, mut guest) = guest();
    let inval = Err(Errno::INVAL);
    assert_eq!(guest.open_full(3, 2, "file", 0, 0, 0), inval);
    assert_eq!(guest.open_full(3, 0, "file", 16, 0, 0), inval);
    assert_eq!(guest.open_full(3, 0, "file", 0, 0, 32), inval);
    assert_eq!(guest.open_full(3, 0, "new", CREAT | DIRECTORY, 0, 0), inval);
    assert_eq!(guest.open_full(3, 0, "file", CREAT | EXCL, 0, 0), Err(Errno::EXIST));
    assert_eq!(guest.open_full(3, 0, "file", DIRECTORY, 0, 0), Err(Errno::NOTDIR));
    assert_eq!(guest.stat("file", 2), inval.map(|_: u32| (0, 0, 0)));
    assert!(guest.open_full(3, 0, ".", 0, 0, 4).is_ok());
    assert!(guest.open_full(3, 0, "file", TRUNC, 0, 0).is_ok());
    assert_eq!(fs::read(temp.join("file")).unwrap(), b"");
    let file = guest.open("file").unwrap();
    assert_eq!(guest.open_full(file, 0, "x", CREAT, 0, 0), Err(Errno::NOTDIR));
    let sync = guest.open_full(3, 0, "file", 0, ALL, 2 | 8 | 16).unwrap();
    assert_eq!(guest.fdstat(sync).unwrap().1, 2 | 8 | 16);
}

#[test]
fn links_are_read_as_far_as_the_buffer_goes() {
    let (temp, mut guest) = guest();
    std::os::unix::fs::symlink("target", temp.join("link")).unwrap();
    assert_eq!(guest.readlink("link", 10).unwrap(), b"target");
    assert_eq!(guest.readlink("link", 4).unwrap(), b"targ");
    assert_eq!(guest.readlink("link", 0).unwrap(), b"");
    assert_eq!(guest.readlink("file", 4), Err(Errno::INVAL));
    assert_eq!(guest.readlink("missing", 4), Err(Errno::NOENT));
}
