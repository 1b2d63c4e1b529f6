;; Yielding returns.
;; exit: 0
(module
  (import "wasi_snapshot_preview1" "sched_yield" (func $sched_yield (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)

  ;; Ends with the number of the step when it did not give what it should.
  (func $check (param $step i32) (param $want i32) (param $got i32)
    (if (i32.ne (local.get $want) (local.get $got))
      (then (call $proc_exit (local.get $step)))))

  (func (export "_start")
    (call $check (i32.const 1) (i32.const 0) (call $sched_yield))
    (call $check (i32.const 2) (i32.const 0) (call $sched_yield))))
