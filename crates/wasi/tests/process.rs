//! Arguments, environment, clocks, randomness, signals, exit: called directly.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/ground.rs"]
mod support;

use selkie_wasi::{ClockId, Clocks, Errno, Exit, Failure, Random, WasiCtx, preview1};
use support::*;

#[test]
fn arguments_and_environment_arrive_as_they_were_given() {
    let mut guest = Guest::from(
        WasiCtx::builder().args(&["prog", "", "ärg"]).env("A", "1").env("B", "x=y").build(),
    );
    let (cx, mem) = (&mut guest.cx, &mut guest.mem[..]);
    preview1::args_sizes_get(cx, mem, 0, 4).unwrap();
    assert_eq!(mem[..8], [3, 0, 0, 0, 11, 0, 0, 0]);
    preview1::args_get(cx, mem, 16, 100).unwrap();
    assert_eq!(mem[16..28], [100, 0, 0, 0, 105, 0, 0, 0, 106, 0, 0, 0]);
    assert_eq!(&mem[100..111], "prog\0\0ärg\0".as_bytes());
    preview1::environ_sizes_get(cx, mem, 0, 4).unwrap();
    assert_eq!(mem[..8], [2, 0, 0, 0, 10, 0, 0, 0]);
    preview1::environ_get(cx, mem, 16, 100).unwrap();
    assert_eq!(&mem[100..110], b"A=1\0B=x=y\0");
    let end = mem.len() as u32;
    assert_eq!(preview1::args_get(cx, mem, 16, end - 10), Err(Errno::FAULT));
    assert_eq!(preview1::args_get(cx, mem, end - 11, 100), Err(Errno::FAULT));
    assert_eq!(preview1::environ_get(cx, mem, u32::MAX, 100), Err(Errno::FAULT));
}

#[test]
fn nothing_given_is_nothing_found() {
    let mut guest = Guest::from(WasiCtx::builder().build());
    let (cx, mem) = (&mut guest.cx, &mut guest.mem[..]);
    mem[..8].fill(9);
    preview1::args_sizes_get(cx, mem, 0, 4).unwrap();
    assert_eq!(mem[..8], [0; 8]);
    preview1::environ_sizes_get(cx, mem, 0, 4).unwrap();
    assert_eq!(mem[..8], [0; 8]);
    preview1::environ_get(cx, mem, 0, 0).unwrap();
    assert_eq!(guest.read(0, 10).unwrap(), b"");
    assert_eq!(guest.write(1, b"gone"), Ok(4));
    assert_eq!(guest.fdstat(3), Err(Errno::BADF));
}

#[test]
fn clocks_go_on_and_unknown_ones_are_invalid() {
    let mut guest = Guest::from(WasiCtx::builder().build());
    for id in 0..4 {
        let (cx, mem) = (&mut guest.cx, &mut guest.mem[..]);
        preview1::clock_res_get(cx, mem, id, 64).unwrap();
        preview1::clock_time_get(cx, mem, id, 0, 72).unwrap();
        preview1::clock_time_get(cx, mem, id, u64::MAX, 80).unwrap();
        assert!(guest.u64(64) > 0 && guest.u64(72) > 0 && guest.u64(80) >= guest.u64(72));
    }
    let (cx, mem) = (&mut guest.cx, &mut guest.mem[..]);
    for id in [4, u32::MAX] {
        assert_eq!(preview1::clock_res_get(cx, mem, id, 64), Err(Errno::INVAL));
        assert_eq!(preview1::clock_time_get(cx, mem, id, 0, 64), Err(Errno::INVAL));
    }
    preview1::clock_time_get(cx, mem, 1, 0, 64).unwrap();
    assert!(guest.u64(64) < 60_000_000_000, "the monotonic clock tells the host's uptime");
}

struct Fixed(u64);

impl Clocks for Fixed {
    fn now(&mut self, _clock: ClockId) -> Result<u64, Errno> {
        Ok(self.0)
    }

    fn resolution(&mut self, _clock: ClockId) -> Result<u64, Errno> {
        Ok(5)
    }

    fn sleep(&mut self, duration_ns: u64) -> Result<(), Errno> {
        self.0 += duration_ns;
        Ok(())
    }
}

struct Sevens;

impl Random for Sevens {
    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), Errno> {
        buffer.fill(7);
        Ok(())
    }
}

#[test]
fn clocks_and_randomness_can_be_replaced() {
    let temp = TempDir::new();
    let all = (selkie_wasi::DirPerms::all(), selkie_wasi::FilePerms::all());
    let mut builder = WasiCtx::builder();
    builder.clocks(Fixed(1_000)).random(Sevens);
    builder.preopened_dir(temp.path(), "/", all.0, all.1).unwrap();
    let mut guest = Guest::from(builder.build());
    let (cx, mem) = (&mut guest.cx, &mut guest.mem[..]);
    preview1::clock_time_get(cx, mem, 0, 0, 64).unwrap();
    preview1::random_get(cx, mem, 80, 3).unwrap();
    assert_eq!((mem[64..66].to_vec(), &mem[79..84]), (vec![232, 3], &[0, 7, 7, 7, 0][..]));
    // An hour passes at once.
    mem[200..248].fill(0);
    mem[216] = 1;
    mem[224..232].copy_from_slice(&3_600_000_000_000_u64.to_le_bytes());
    preview1::poll_oneoff(cx, mem, 200, 300, 1, 64).unwrap();
    preview1::clock_time_get(cx, mem, 1, 0, 64).unwrap();
    assert_eq!(guest.u64(64), 3_600_000_001_000);
    // "Now" is the guest's as well.
    let fd = guest.create("file", CREAT).unwrap();
    preview1::fd_filestat_set_times(&mut guest.cx, &mut [], fd, 0, 0, 8).unwrap();
    guest.filestat(fd).unwrap();
    assert_eq!(guest.u64(DATA + 48), 3_600_000_001_000);
}

#[test]
fn random_bytes_fill_exactly_the_buffer() {
    let mut guest = Guest::from(WasiCtx::builder().build());
    let (cx, mem) = (&mut guest.cx, &mut guest.mem[..]);
    preview1::random_get(cx, mem, 100, 200).unwrap();
    assert!(mem[..100].iter().chain(&mem[300..]).all(|byte| *byte == 0));
    assert!(mem[100..300].iter().any(|byte| *byte != 0));
    preview1::random_get(cx, mem, 0, 0).unwrap();
    let mut large = vec![0; (5 << 20) + 3];
    let len = large.len() as u32;
    preview1::random_get(cx, &mut large, 0, len).unwrap();
    for part in large.chunks(1 << 16) {
        assert!(part.len() < 64 || part.iter().any(|byte| *byte != 0));
    }
}

#[test]
fn exit_and_signals_end_the_program_with_their_code() {
    let mut guest = Guest::from(WasiCtx::builder().build());
    let (cx, mem) = (&mut guest.cx, &mut guest.mem[..]);
    for code in [0, 1, 255, u32::MAX] {
        assert_eq!(preview1::proc_exit(cx, mem, code).unwrap_err(), Exit(code));
    }
    assert_eq!(preview1::proc_raise(cx, mem, 0), Ok(()));
    assert_eq!(preview1::proc_raise(cx, mem, 16), Ok(()));
    assert_eq!(preview1::proc_raise(cx, mem, 6), Err(Failure::Exit(Exit(134))));
    assert_eq!(preview1::proc_raise(cx, mem, 18), Err(Failure::Errno(Errno::NOTSUP)));
    assert_eq!(preview1::proc_raise(cx, mem, 31), Err(Failure::Errno(Errno::INVAL)));
    assert_eq!(preview1::sched_yield(cx, mem), Ok(()));
}
