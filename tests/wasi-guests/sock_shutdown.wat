;; After the end was announced nothing can be sent.
;; listener: question
;; reply: last
;; exit: 0
(module
  (import "wasi_snapshot_preview1" "sock_accept"
    (func $sock_accept (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_send"
    (func $sock_send (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_shutdown"
    (func $sock_shutdown (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (global $badf i32 (i32.const 8))
  (global $inval i32 (i32.const 28))
  (global $notsock i32 (i32.const 57))
  (global $pipe i32 (i32.const 64))
  (data (i32.const 1024) "last")

  ;; Ends with the number of the step when it did not give what it should.
  (func $check (param $step i32) (param $want i32) (param $got i32)
    (if (i32.ne (local.get $want) (local.get $got))
      (then (call $proc_exit (local.get $step)))))

  (func (export "_start")
    (call $check (i32.const 1) (i32.const 0)
      (call $sock_accept (i32.const 3) (i32.const 0) (i32.const 0)))
    (i32.store (i32.const 16) (i32.const 1024)) (i32.store (i32.const 20) (i32.const 4)) ;; "last"
    (call $check (i32.const 2) (i32.const 0)
      (call $sock_send (i32.load (i32.const 0)) (i32.const 16) (i32.const 1) (i32.const 0)
        (i32.const 8)))
    (call $check (i32.const 3) (i32.const 0)
      (call $sock_shutdown (i32.load (i32.const 0)) (i32.const 2)))
    (call $check (i32.const 4) (global.get $pipe)
      (call $sock_send (i32.load (i32.const 0)) (i32.const 16) (i32.const 1) (i32.const 0)
        (i32.const 8)))
    (call $check (i32.const 5) (global.get $inval)
      (call $sock_shutdown (i32.load (i32.const 0)) (i32.const 0)))
    (call $check (i32.const 6) (global.get $inval)
      (call $sock_shutdown (i32.load (i32.const 0)) (i32.const 4)))
    (call $check (i32.const 7) (global.get $badf)
      (call $sock_shutdown (i32.const 99) (i32.const 1)))
    (call $check (i32.const 8) (global.get $notsock)
      (call $sock_shutdown (i32.const 1) (i32.const 1)))))
