;; Appending and not blocking can be set and unset; the rest only when opening.
;; dir: /
;; file: file 0123456789
;; exit: 0
(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_fdstat_set_flags"
    (func $fd_fdstat_set_flags (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_fdstat_get"
    (func $fd_fdstat_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_seek" (func $fd_seek (param i32 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (global $badf i32 (i32.const 8))
  (global $inval i32 (i32.const 28))
  (data (i32.const 1024) "file")
  (data (i32.const 1028) "ab")
  (data (i32.const 1030) "ab23456789ab")

  ;; Ends with the number of the step when it did not give what it should.
  (func $check (param $step i32) (param $want i32) (param $got i32)
    (if (i32.ne (local.get $want) (local.get $got))
      (then (call $proc_exit (local.get $step)))))

  (func $check_fails (param $step i32) (param $got i32)
    (if (i32.eqz (local.get $got)) (then (call $proc_exit (local.get $step)))))

  (func $check_bytes (param $step i32) (param $at i32) (param $want i32) (param $len i32)
    (block $done (loop $next
      (br_if $done (i32.eqz (local.get $len)))
      (local.set $len (i32.sub (local.get $len) (i32.const 1)))
      (br_if $next (i32.eq
        (i32.load8_u (i32.add (local.get $at) (local.get $len)))
        (i32.load8_u (i32.add (local.get $want) (local.get $len)))))
      (call $proc_exit (local.get $step)))))

  (func (export "_start")
    (call $check (i32.const 1) (i32.const 0)
      (call $path_open (i32.const 3) (i32.const 1) (i32.const 1024) (i32.const 4) (; "file" ;)
        (i32.const 0) (i64.const 0x3fffffff) (i64.const 0x3fffffff) (i32.const 0)
        (i32.const 0)))
    (call $check (i32.const 2) (i32.const 0)
      (call $fd_fdstat_set_flags (i32.load (i32.const 0)) (i32.const 1)))
    (call $check (i32.const 3) (i32.const 0)
      (call $fd_fdstat_get (i32.load (i32.const 0)) (i32.const 64)))
    (call $check (i32.const 4) (i32.const 1) (i32.load16_u (i32.const 66)))
    (i32.store (i32.const 16) (i32.const 1028)) (i32.store (i32.const 20) (i32.const 2)) ;; "ab"
    (call $check (i32.const 5) (i32.const 0)
      (call $fd_write (i32.load (i32.const 0)) (i32.const 16) (i32.const 1) (i32.const 8)))
    (call $check (i32.const 6) (i32.const 0)
      (call $fd_fdstat_set_flags (i32.load (i32.const 0)) (i32.const 0)))
    (call $check (i32.const 7) (i32.const 0)
      (call $fd_seek (i32.load (i32.const 0)) (i64.const 0) (i32.const 0) (i32.const 40)))
    (call $check (i32.const 8) (i32.const 0)
      (call $fd_write (i32.load (i32.const 0)) (i32.const 16) (i32.const 1) (i32.const 8)))
    (call $check (i32.const 9) (i32.const 0)
      (call $fd_seek (i32.load (i32.const 0)) (i64.const 0) (i32.const 0) (i32.const 40)))
    (i32.store (i32.const 16) (i32.const 4096)) (i32.store (i32.const 20) (i32.const 100))
    (call $check (i32.const 10) (i32.const 0)
      (call $fd_read (i32.load (i32.const 0)) (i32.const 16) (i32.const 1) (i32.const 8)))
    (call $check (i32.const 11) (i32.const 12) (i32.load (i32.const 8)))
    (call $check_bytes (i32.const 12) (i32.const 4096)
      (i32.const 1030) (i32.const 12)) ;; "ab23456789ab"
    (call $check (i32.const 13) (i32.const 0)
      (call $fd_fdstat_set_flags (i32.load (i32.const 0)) (i32.const 4)))
    (call $check (i32.const 14) (i32.const 0)
      (call $fd_fdstat_get (i32.load (i32.const 0)) (i32.const 64)))
    (call $check (i32.const 15) (i32.const 4) (i32.load16_u (i32.const 66)))
    (call $check_fails (i32.const 16)
      (call $fd_fdstat_set_flags (i32.load (i32.const 0)) (i32.const 16)))
    (call $check (i32.const 17) (global.get $inval)
      (call $fd_fdstat_set_flags (i32.load (i32.const 0)) (i32.const 32)))
    (call $check (i32.const 18) (global.get $badf)
      (call $fd_fdstat_set_flags (i32.const 99) (i32.const 0)))))
