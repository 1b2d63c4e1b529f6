;; What the other side sent is received, first only looked at.
;; listener: question
;; exit: 0
(module
  (import "wasi_snapshot_preview1" "sock_accept"
    (func $sock_accept (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_recv"
    (func $sock_recv (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (global $badf i32 (i32.const 8))
  (global $inval i32 (i32.const 28))
  (global $notsock i32 (i32.const 57))
  (data (i32.const 1024) "ques")
  (data (i32.const 1028) "tion")

  ;; Ends with the number of the step when it did not give what it should.
  (func $check (param $step i32) (param $want i32) (param $got i32)
    (if (i32.ne (local.get $want) (local.get $got))
      (then (call $proc_exit (local.get $step)))))

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
      (call $sock_accept (i32.const 3) (i32.const 0) (i32.const 0)))
    (i32.store (i32.const 16) (i32.const 4096)) (i32.store (i32.const 20) (i32.const 4))
    (call $check (i32.const 2) (i32.const 0)
      (call $sock_recv (i32.load (i32.const 0)) (i32.const 16) (i32.const 1) (i32.const 3)
        (i32.const 8) (i32.const 12)))
    (call $check (i32.const 3) (i32.const 4) (i32.load (i32.const 8)))
    (call $check (i32.const 4) (i32.const 0) (i32.load16_u (i32.const 12)))
    (call $check_bytes (i32.const 5) (i32.const 4096) (i32.const 1024) (i32.const 4)) ;; "ques"
    (call $check (i32.const 6) (i32.const 0)
      (call $sock_recv (i32.load (i32.const 0)) (i32.const 16) (i32.const 1) (i32.const 2)
        (i32.const 8) (i32.const 12)))
    (call $check_bytes (i32.const 7) (i32.const 4096) (i32.const 1024) (i32.const 4)) ;; "ques"
    (call $check (i32.const 8) (i32.const 0)
      (call $fd_read (i32.load (i32.const 0)) (i32.const 16) (i32.const 1) (i32.const 8)))
    (call $check_bytes (i32.const 9) (i32.const 4096) (i32.const 1028) (i32.const 4)) ;; "tion"
    (call $check (i32.const 10) (global.get $inval)
      (call $sock_recv (i32.load (i32.const 0)) (i32.const 16) (i32.const 1) (i32.const 4)
        (i32.const 8) (i32.const 12)))
    (call $check (i32.const 11) (global.get $badf)
      (call $sock_recv (i32.const 99) (i32.const 16) (i32.const 1) (i32.const 0)
        (i32.const 8) (i32.const 12)))
    (call $check (i32.const 12) (global.get $notsock)
      (call $sock_recv (i32.const 0) (i32.const 16) (i32.const 1) (i32.const 0)
        (i32.const 8) (i32.const 12)))))
