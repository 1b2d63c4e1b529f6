;; A subscription of the predecessor names its clock a second time.
;; exit: 0
(module
  (import "wasi_unstable" "poll_oneoff" (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
  (import "wasi_unstable" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)

  ;; Ends with the number of the step when it did not give what it should.
  (func $check (param $step i32) (param $want i32) (param $got i32)
    (if (i32.ne (local.get $want) (local.get $got))
      (then (call $proc_exit (local.get $step)))))

  (func (export "_start")
    (i64.store (i32.const 256) (i64.const 7))
    (i32.store8 (i32.const 264) (i32.const 0))
    (i32.store (i32.const 280) (i32.const 1))
    (i64.store (i32.const 288) (i64.const 3600000000000))
    (i32.store (i32.const 304) (i32.const 0))
    (i64.store (i32.const 312) (i64.const 8))
    (i32.store8 (i32.const 320) (i32.const 0))
    (i32.store (i32.const 336) (i32.const 1))
    (i64.store (i32.const 344) (i64.const 1000000))
    (i32.store (i32.const 360) (i32.const 0))
    (i64.store (i32.const 272) (i64.const -1))
    (i64.store (i32.const 328) (i64.const -1))
    (call $check (i32.const 1) (i32.const 0)
      (call $poll_oneoff (i32.const 256) (i32.const 4096) (i32.const 2) (i32.const 8)))
    (call $check (i32.const 2) (i32.const 1) (i32.load (i32.const 8)))
    (call $check (i32.const 3) (i32.const 8) (i32.wrap_i64 (i64.load (i32.const 4096))))
    (call $check (i32.const 4) (i32.const 0) (i32.load16_u (i32.const 4104)))))
