;; The wall clock is past 2020, the monotonic clock never goes back.
;; exit: 0
(module
  (import "wasi_snapshot_preview1" "clock_time_get"
    (func $clock_time_get (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (global $inval i32 (i32.const 28))

  ;; Ends with the number of the step when it did not give what it should.
  (func $check (param $step i32) (param $want i32) (param $got i32)
    (if (i32.ne (local.get $want) (local.get $got))
      (then (call $proc_exit (local.get $step)))))

  (func $check_true (param $step i32) (param $holds i32)
    (if (i32.eqz (local.get $holds)) (then (call $proc_exit (local.get $step)))))

  (func (export "_start")
    (call $check (i32.const 1) (i32.const 0)
      (call $clock_time_get (i32.const 0) (i64.const 0) (i32.const 0)))
    (call $check_true (i32.const 2)
      (i64.gt_u (i64.load (i32.const 0)) (i64.const 1577836800000000000)))
    (call $check (i32.const 3) (i32.const 0)
      (call $clock_time_get (i32.const 1) (i64.const 1) (i32.const 8)))
    (call $check (i32.const 4) (i32.const 0)
      (call $clock_time_get (i32.const 1) (i64.const 1000000000) (i32.const 16)))
    (call $check_true (i32.const 5)
      (i64.ge_u (i64.load (i32.const 16)) (i64.load (i32.const 8))))
    (call $check (i32.const 6) (global.get $inval)
      (call $clock_time_get (i32.const 77) (i64.const 0) (i32.const 0)))))
