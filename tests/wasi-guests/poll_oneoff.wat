;; Waiting for clocks and descriptors; what cannot be waited for is told.
;; dir: /
;; file: file 0123456789
;; stdin: input
;; exit: 0
(module
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get"
    (func $clock_time_get (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (global $badf i32 (i32.const 8))
  (global $inval i32 (i32.const 28))
  (data (i32.const 1024) "file")

  ;; Ends with the number of the step when it did not give what it should.
  (func $check (param $step i32) (param $want i32) (param $got i32)
    (if (i32.ne (local.get $want) (local.get $got))
      (then (call $proc_exit (local.get $step)))))

  (func $check_true (param $step i32) (param $holds i32)
    (if (i32.eqz (local.get $holds)) (then (call $proc_exit (local.get $step)))))

  (func (export "_start")
    (call $check (i32.const 1) (global.get $inval)
      (call $poll_oneoff (i32.const 256) (i32.const 4096) (i32.const 0) (i32.const 8)))

    ;; Ten milliseconds pass.
    (call $check (i32.const 2) (i32.const 0)
      (call $clock_time_get (i32.const 1) (i64.const 0) (i32.const 40)))
    (i64.store (i32.const 256) (i64.const 7))
    (i32.store8 (i32.const 264) (i32.const 0))
    (i32.store (i32.const 272) (i32.const 1))
    (i64.store (i32.const 280) (i64.const 10000000))
    (i32.store (i32.const 296) (i32.const 0))
    (call $check (i32.const 3) (i32.const 0)
      (call $poll_oneoff (i32.const 256) (i32.const 4096) (i32.const 1) (i32.const 8)))
    (call $check (i32.const 4) (i32.const 1) (i32.load (i32.const 8)))
    (call $check (i32.const 5) (i32.const 7) (i32.wrap_i64 (i64.load (i32.const 4096))))
    (call $check (i32.const 6) (i32.const 0) (i32.load16_u (i32.const 4104)))
    (call $check (i32.const 7) (i32.const 0) (i32.load8_u (i32.const 4106)))
    (call $check (i32.const 8) (i32.const 0)
      (call $clock_time_get (i32.const 1) (i64.const 0) (i32.const 48)))
    (call $check_true (i32.const 9)
      (i64.ge_u (i64.load (i32.const 48)) (i64.add (i64.load (i32.const 40)) (i64.const 10000000))))

    ;; An hour would; but the file is ready, a bad number is told at once.
    (call $check (i32.const 10) (i32.const 0)
      (call $path_open (i32.const 3) (i32.const 1) (i32.const 1024) (i32.const 4) (; "file" ;)
        (i32.const 0) (i64.const 0x3fffffff) (i64.const 0x3fffffff) (i32.const 0)
        (i32.const 0)))
    (i64.store (i32.const 256) (i64.const 7))
    (i32.store8 (i32.const 264) (i32.const 0))
    (i32.store (i32.const 272) (i32.const 1))
    (i64.store (i32.const 280) (i64.const 3600000000000))
    (i32.store (i32.const 296) (i32.const 0))
    (i64.store (i32.const 304) (i64.const 8))
    (i32.store8 (i32.const 312) (i32.const 1))
    (i32.store (i32.const 320) (i32.load (i32.const 0)))
    (i64.store (i32.const 352) (i64.const 9))
    (i32.store8 (i32.const 360) (i32.const 2))
    (i32.store (i32.const 368) (i32.const 99))
    (call $check (i32.const 11) (i32.const 0)
      (call $poll_oneoff (i32.const 256) (i32.const 4096) (i32.const 3) (i32.const 8)))
    (call $check (i32.const 12) (i32.const 2) (i32.load (i32.const 8)))
    (call $check (i32.const 13) (i32.const 8) (i32.wrap_i64 (i64.load (i32.const 4096))))
    (call $check (i32.const 14) (i32.const 0) (i32.load16_u (i32.const 4104)))
    (call $check (i32.const 15) (i32.const 1) (i32.load8_u (i32.const 4106)))
    (call $check (i32.const 16) (i32.const 9) (i32.wrap_i64 (i64.load (i32.const 4128))))
    (call $check (i32.const 17) (global.get $badf) (i32.load16_u (i32.const 4136)))
    (call $check (i32.const 18) (i32.const 2) (i32.load8_u (i32.const 4138)))

    ;; A time of the wall clock that is past.
    (i64.store (i32.const 256) (i64.const 3))
    (i32.store8 (i32.const 264) (i32.const 0))
    (i32.store (i32.const 272) (i32.const 0))
    (i64.store (i32.const 280) (i64.const 1))
    (i32.store (i32.const 296) (i32.const 1))
    (call $check (i32.const 19) (i32.const 0)
      (call $poll_oneoff (i32.const 256) (i32.const 4096) (i32.const 1) (i32.const 8)))
    (call $check (i32.const 20) (i32.const 1) (i32.load (i32.const 8)))
    (call $check (i32.const 21) (i32.const 3) (i32.wrap_i64 (i64.load (i32.const 4096))))

    ;; Standard input has something.
    (i64.store (i32.const 256) (i64.const 4))
    (i32.store8 (i32.const 264) (i32.const 1))
    (i32.store (i32.const 272) (i32.const 0))
    (call $check (i32.const 22) (i32.const 0)
      (call $poll_oneoff (i32.const 256) (i32.const 4096) (i32.const 1) (i32.const 8)))
    (call $check (i32.const 23) (i32.const 1) (i32.load (i32.const 8)))
    (call $check (i32.const 24) (i32.const 4) (i32.wrap_i64 (i64.load (i32.const 4096))))
    (call $check (i32.const 25) (i32.const 0) (i32.load16_u (i32.const 4104)))

    ;; There is no such event.
    (i64.store (i32.const 256) (i64.const 4))
    (i32.store8 (i32.const 264) (i32.const 3))
    (call $check (i32.const 26) (global.get $inval)
      (call $poll_oneoff (i32.const 256) (i32.const 4096) (i32.const 1) (i32.const 8)))))
