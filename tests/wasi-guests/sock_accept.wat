;; A connection is accepted from the granted listener.
;; listener: question
;; exit: 0
(module
  (import "wasi_snapshot_preview1" "sock_accept"
    (func $sock_accept (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_fdstat_get"
    (func $fd_fdstat_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $fd_close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_fdstat_set_flags"
    (func $fd_fdstat_set_flags (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (global $again i32 (i32.const 6))
  (global $badf i32 (i32.const 8))
  (global $inval i32 (i32.const 28))
  (global $notsock i32 (i32.const 57))

  ;; Ends with the number of the step when it did not give what it should.
  (func $check (param $step i32) (param $want i32) (param $got i32)
    (if (i32.ne (local.get $want) (local.get $got))
      (then (call $proc_exit (local.get $step)))))

  (func $check_true (param $step i32) (param $holds i32)
    (if (i32.eqz (local.get $holds)) (then (call $proc_exit (local.get $step)))))

  (func (export "_start")
    (call $check (i32.const 1) (global.get $inval)
      (call $sock_accept (i32.const 3) (i32.const 1) (i32.const 0)))
    (call $check (i32.const 2) (global.get $badf)
      (call $sock_accept (i32.const 99) (i32.const 0) (i32.const 0)))
    (call $check (i32.const 3) (global.get $notsock)
      (call $sock_accept (i32.const 1) (i32.const 0) (i32.const 0)))
    (call $check (i32.const 4) (i32.const 0)
      (call $sock_accept (i32.const 3) (i32.const 0) (i32.const 0)))
    (call $check_true (i32.const 5) (i32.gt_u (i32.load (i32.const 0)) (i32.const 3)))
    (call $check (i32.const 6) (i32.const 0)
      (call $fd_fdstat_get (i32.load (i32.const 0)) (i32.const 64)))
    (call $check (i32.const 7) (i32.const 6) (i32.load8_u (i32.const 64)))
    (call $check (i32.const 8) (i32.const 0) (call $fd_close (i32.load (i32.const 0))))

    ;; Nobody else comes: not blocking says so.
    (call $check (i32.const 9) (i32.const 0)
      (call $fd_fdstat_set_flags (i32.const 3) (i32.const 4)))
    (call $check (i32.const 10) (global.get $again)
      (call $sock_accept (i32.const 3) (i32.const 4) (i32.const 0)))))
