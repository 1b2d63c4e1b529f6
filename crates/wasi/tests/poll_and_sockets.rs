//! `poll_oneoff` and the socket functions, called directly.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/ground.rs"]
mod support;

use selkie_wasi::{Errno, PathWalk, WasiCtx, preview1, unstable};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};
use support::*;

const IN: u32 = 60_000;
const OUT: u32 = 80_000;
const COUNT: u32 = 64;
const MONOTONIC: u32 = 1;

#[derive(Clone, Copy)]
enum Sub {
    Clock { id: u32, timeout: u64, flags: u8 },
    Read(u32),
    Write(u32),
    Raw(u8),
}

/// (userdata, error, type, nbytes, flags).
type Event = (u64, u16, u8, u64, u8);

fn put(guest: &mut Guest, index: u32, sub: Sub) {
    let at = IN + index * 48;
    guest.mem[at as usize..at as usize + 48].fill(0);
    guest.set_u64(at, 1000 + u64::from(index));
    let tag = match sub {
        Sub::Clock { id, timeout, flags } => {
            guest.set_u32(at + 16, id);
            guest.set_u64(at + 24, timeout);
            guest.mem[at as usize + 40] = flags;
            0
        }
        Sub::Read(fd) => {
            guest.set_u32(at + 16, fd);
            1
        }
        Sub::Write(fd) => {
            guest.set_u32(at + 16, fd);
            2
        }
        Sub::Raw(tag) => tag,
    };
    guest.mem[at as usize + 8] = tag;
}

fn event(guest: &Guest, index: u32) -> Event {
    let at = (OUT + index * 32) as usize;
    let error = u16::from_le_bytes([guest.mem[at + 8], guest.mem[at + 9]]);
    let nbytes = guest.u64(at as u32 + 16);
    (guest.u64(at as u32), error, guest.mem[at + 10], nbytes, guest.mem[at + 24])
}

fn poll(guest: &mut Guest, subs: &[Sub]) -> Result<Vec<Event>, Errno> {
    for (index, sub) in subs.iter().enumerate() {
        put(guest, index as u32, *sub);
    }
    let len = subs.len() as u32;
    preview1::poll_oneoff(&mut guest.cx, &mut guest.mem, IN, OUT, len, COUNT)?;
    Ok((0..guest.u32(COUNT)).map(|index| event(guest, index)).collect())
}

fn relative(timeout_ms: u64) -> Sub {
    Sub::Clock { id: MONOTONIC, timeout: timeout_ms * 1_000_000, flags: 0 }
}

fn now(guest: &mut Guest, id: u32) -> u64 {
    preview1::clock_time_get(&mut guest.cx, &mut guest.mem, id, 0, 64).unwrap();
    guest.u64(64)
}

fn with_socket(socket: impl Into<std::os::fd::OwnedFd>) -> Guest {
    let mut builder = WasiCtx::builder();
    builder.preopened_socket(socket).unwrap();
    Guest::from(builder.build())
}

#[test]
fn no_subscription_is_invalid_and_so_are_too_many() {
    let mut guest = Guest::from(WasiCtx::builder().build());
    assert_eq!(poll(&mut guest, &[]), Err(Errno::INVAL));
    for count in [u32::MAX, 0x1000_0000, (1 << 16) + 1] {
        let result = preview1::poll_oneoff(&mut guest.cx, &mut guest.mem, IN, OUT, count, COUNT);
        assert_eq!(result, Err(Errno::INVAL));
    }
    let result = preview1::poll_oneoff(&mut guest.cx, &mut guest.mem, IN, OUT, 1 << 16, COUNT);
    assert_eq!(result, Err(Errno::FAULT));
    assert_eq!(poll(&mut guest, &[Sub::Raw(3)]), Err(Errno::INVAL));
}

#[test]
fn clocks_wait_as_long_as_they_are_told() {
    let mut guest = Guest::from(WasiCtx::builder().build());
    let start = Instant::now();
    assert_eq!(poll(&mut guest, &[relative(30)]).unwrap(), [(1000, 0, 0, 0, 0)]);
    assert!(start.elapsed() >= Duration::from_millis(30));
    for id in [0, MONOTONIC] {
        let timeout = now(&mut guest, id) + 20_000_000;
        let events = poll(&mut guest, &[Sub::Clock { id, timeout, flags: 1 }]).unwrap();
        assert_eq!(events, [(1000, 0, 0, 0, 0)]);
        assert!(now(&mut guest, id) >= timeout);
        // What is past already does not wait.
        let events = poll(&mut guest, &[Sub::Clock { id, timeout: 1, flags: 1 }]).unwrap();
        assert_eq!(events.len(), 1);
    }
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn the_first_of_several_clocks_ends_the_wait() {
    let mut guest = Guest::from(WasiCtx::builder().build());
    let never = Sub::Clock { id: MONOTONIC, timeout: u64::MAX, flags: 0 };
    let events = poll(&mut guest, &[never, relative(10), relative(60_000), relative(0)]).unwrap();
    assert_eq!(events, [(1003, 0, 0, 0, 0)]);
    let events = poll(&mut guest, &[never, relative(10), relative(60_000)]).unwrap();
    assert_eq!(events, [(1001, 0, 0, 0, 0)]);
}

#[test]
fn what_cannot_be_waited_for_is_an_event_with_an_error() {
    let temp = TempDir::new();
    let mut guest = Guest::new(temp.path(), PathWalk::Auto);
    let no_rights = guest.open_full(3, 0, "file", CREAT, 0, 0).unwrap();
    let subs = [
        Sub::Read(99),
        Sub::Clock { id: 9, timeout: 0, flags: 0 },
        Sub::Clock { id: 2, timeout: 0, flags: 0 },
        Sub::Clock { id: 1, timeout: 0, flags: 2 },
        Sub::Read(no_rights),
        Sub::Clock { id: 1, timeout: u64::MAX, flags: 0 },
    ];
    let errors: Vec<_> = poll(&mut guest, &subs).unwrap().iter().map(|e| (e.0, e.1)).collect();
    let expected = [Errno::BADF, Errno::INVAL, Errno::NOTSUP, Errno::INVAL, Errno::NOTCAPABLE];
    let expected: Vec<_> = (1000..).zip(expected.map(Errno::raw)).collect();
    assert_eq!(errors, expected);
}

#[test]
fn files_are_always_ready() {
    let temp = TempDir::new();
    std::fs::write(temp.join("file"), b"0123456789").unwrap();
    let mut guest = Guest::new(temp.path(), PathWalk::Auto);
    let fd = guest.create("file", 0).unwrap();
    guest.read(fd, 4).unwrap();
    let subs = [relative(60_000), Sub::Read(fd), Sub::Write(fd), Sub::Read(0), Sub::Write(1)];
    let events = poll(&mut guest, &subs).unwrap();
    let kinds: Vec<_> = events.iter().map(|e| (e.0, e.1, e.2)).collect();
    assert_eq!(kinds, [(1001, 0, 1), (1002, 0, 2), (1003, 0, 1), (1004, 0, 2)]);
    assert_eq!(events[0].3, 6);
    guest.seek(fd, 7, 0).unwrap();
    assert_eq!(poll(&mut guest, &[Sub::Read(fd)]).unwrap()[0].3, 3);
}

#[test]
fn a_socket_becomes_ready_when_something_arrives_and_hangs_up() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut guest = with_socket(theirs);
    let events = poll(&mut guest, &[relative(20), Sub::Read(3)]).unwrap();
    assert_eq!(events, [(1000, 0, 0, 0, 0)]);
    let events = poll(&mut guest, &[Sub::Read(3), Sub::Write(3)]).unwrap();
    assert_eq!((events.len(), events[0].0, events[0].2), (1, 1001, 2));
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(20));
        (&ours).write_all(b"hello").unwrap();
        ours
    });
    let events = poll(&mut guest, &[relative(60_000), Sub::Read(3)]).unwrap();
    assert_eq!(events, [(1001, 0, 1, 5, 0)]);
    assert_eq!(guest.read(3, 10).unwrap(), b"hello");
    drop(thread.join().unwrap());
    let events = poll(&mut guest, &[relative(60_000), Sub::Read(3)]).unwrap();
    assert_eq!(events, [(1001, 0, 1, 0, 1)]);
    assert_eq!(guest.read(3, 10).unwrap(), b"");
    assert_eq!(guest.write(3, b"x"), Err(Errno::PIPE));
}

#[test]
fn events_may_overwrite_the_subscriptions() {
    let mut guest = Guest::from(WasiCtx::builder().build());
    put(&mut guest, 0, relative(0));
    put(&mut guest, 1, relative(0));
    preview1::poll_oneoff(&mut guest.cx, &mut guest.mem, IN, IN, 2, COUNT).unwrap();
    assert_eq!((guest.u32(COUNT), guest.u64(IN), guest.u64(IN + 32)), (2, 1000, 1001));
}

#[test]
fn the_predecessor_has_a_longer_subscription() {
    let mut guest = Guest::from(WasiCtx::builder().build());
    guest.mem[IN as usize..IN as usize + 112].fill(0);
    for (index, timeout) in [(0, u64::MAX), (1, 5)] {
        let at = IN + index * 56;
        guest.set_u64(at, u64::from(index) + 7);
        guest.set_u64(at + 16, 0xffff_ffff);
        guest.set_u32(at + 24, MONOTONIC);
        guest.set_u64(at + 32, timeout);
    }
    unstable::poll_oneoff(&mut guest.cx, &mut guest.mem, IN, OUT, 2, COUNT).unwrap();
    assert_eq!((guest.u32(COUNT), event(&guest, 0)), (1, (8, 0, 0, 0, 0)));
}

#[test]
fn what_is_no_socket_is_notsock() {
    let temp = TempDir::new();
    let mut guest = Guest::new(temp.path(), PathWalk::Auto);
    let file = guest.create("file", CREAT).unwrap();
    let (cx, mem) = (&mut guest.cx, &mut guest.mem[..]);
    for fd in [0, 1, 3, file] {
        let notsock = Err(Errno::NOTSOCK);
        assert_eq!(preview1::sock_accept(cx, mem, fd, 0, 64), notsock);
        assert_eq!(preview1::sock_recv(cx, mem, fd, 64, 0, 0, 64, 72), notsock);
        assert_eq!(preview1::sock_send(cx, mem, fd, 64, 0, 0, 64), notsock);
        assert_eq!(preview1::sock_shutdown(cx, mem, fd, 1), notsock);
    }
    assert!(
        WasiCtx::builder().preopened_socket(std::fs::File::open("/dev/null").unwrap()).is_err()
    );
}

fn accept(guest: &mut Guest, flags: u32) -> Result<u32, Errno> {
    preview1::sock_accept(&mut guest.cx, &mut guest.mem, 3, flags, 64)?;
    Ok(guest.u32(64))
}

fn recv(guest: &mut Guest, fd: u32, len: u32, flags: u32) -> Result<(Vec<u8>, u8), Errno> {
    guest.set_u32(128, DATA);
    guest.set_u32(132, len);
    preview1::sock_recv(&mut guest.cx, &mut guest.mem, fd, 128, 1, flags, 64, 72)?;
    let len = guest.u32(64) as usize;
    Ok((guest.mem[DATA as usize..][..len].to_vec(), guest.mem[72]))
}

fn send(guest: &mut Guest, fd: u32, data: &[u8], flags: u32) -> Result<u32, Errno> {
    guest.mem[DATA as usize..][..data.len()].copy_from_slice(data);
    guest.set_u32(128, DATA);
    guest.set_u32(132, data.len() as u32);
    preview1::sock_send(&mut guest.cx, &mut guest.mem, fd, 128, 1, flags, 64)?;
    Ok(guest.u32(64))
}

#[test]
fn a_listener_accepts_and_its_connections_speak() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut guest = with_socket(listener);
    assert_eq!(guest.fdstat(3).unwrap().0, 6);
    assert_eq!(accept(&mut guest, 1), Err(Errno::INVAL));
    assert_eq!(accept(&mut guest, 1 << 9), Err(Errno::INVAL));
    let mut client = TcpStream::connect(address).unwrap();
    let fd = accept(&mut guest, 4).unwrap();
    assert_eq!(fd, 4);
    assert_eq!(guest.fdstat(fd).unwrap().1, 4);
    assert_eq!(recv(&mut guest, fd, 10, 0), Err(Errno::AGAIN));
    client.write_all(b"question").unwrap();
    assert_eq!(poll(&mut guest, &[Sub::Read(fd)]).unwrap()[0].3, 8);
    assert_eq!(recv(&mut guest, fd, 4, 1).unwrap(), (b"ques".to_vec(), 0));
    assert_eq!(recv(&mut guest, fd, 4, 2).unwrap(), (b"ques".to_vec(), 0));
    assert_eq!(guest.read(fd, 10).unwrap(), b"tion");
    assert_eq!(recv(&mut guest, fd, 4, 4), Err(Errno::INVAL));
    assert_eq!(send(&mut guest, fd, b"answer", 0), Ok(6));
    assert_eq!(send(&mut guest, fd, b"answer", 1), Err(Errno::INVAL));
    let mut answer = [0; 6];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"answer");
    let (cx, mem) = (&mut guest.cx, &mut guest.mem[..]);
    assert_eq!(preview1::sock_shutdown(cx, mem, fd, 0), Err(Errno::INVAL));
    assert_eq!(preview1::sock_shutdown(cx, mem, fd, 4), Err(Errno::INVAL));
    assert_eq!(preview1::sock_shutdown(cx, mem, fd, 2), Ok(()));
    assert_eq!(client.read(&mut answer).unwrap(), 0);
    assert_eq!(send(&mut guest, fd, b"late", 0), Err(Errno::PIPE));
    // A connection accepts nothing, a listener receives nothing.
    let result = preview1::sock_accept(&mut guest.cx, &mut guest.mem, fd, 0, 64);
    assert_eq!(result, Err(Errno::NOTCAPABLE));
    assert_eq!(recv(&mut guest, 3, 1, 0), Err(Errno::NOTCONN));
    assert_eq!(guest.seek(fd, 0, 0), Err(Errno::SPIPE));
}

#[test]
fn unix_sockets_are_sockets_as_well() {
    let temp = TempDir::new();
    let listener = UnixListener::bind(temp.join("socket")).unwrap();
    let mut guest = with_socket(listener);
    let client = UnixStream::connect(temp.join("socket")).unwrap();
    let fd = accept(&mut guest, 0).unwrap();
    (&client).write_all(b"0123456789").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    // Several buffers at once.
    for (index, (at, len)) in [(5000, 3), (4000, 100)].into_iter().enumerate() {
        guest.set_u32(128 + index as u32 * 8, at);
        guest.set_u32(132 + index as u32 * 8, len);
    }
    preview1::sock_recv(&mut guest.cx, &mut guest.mem, fd, 128, 2, 0, 64, 72).unwrap();
    assert_eq!(guest.u32(64), 10);
    assert_eq!((&guest.mem[5000..5003], &guest.mem[4000..4007]), (&b"012"[..], &b"3456789"[..]));
    assert_eq!(recv(&mut guest, fd, 10, 0).unwrap(), (vec![], 0));
}

#[test]
fn a_datagram_that_does_not_fit_is_truncated() {
    let (ours, theirs) = std::os::unix::net::UnixDatagram::pair().unwrap();
    let mut guest = with_socket(theirs);
    assert_eq!(guest.fdstat(3).unwrap().0, 5);
    ours.send(b"0123456789").unwrap();
    assert_eq!(recv(&mut guest, 3, 4, 0).unwrap(), (b"0123".to_vec(), 1));
}
