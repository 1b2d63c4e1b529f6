;; Signals without effect return, the one to abort ends with 128 and its number.
;; exit: 134
(module
  (import "wasi_snapshot_preview1" "proc_raise" (func $proc_raise (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (global $inval i32 (i32.const 28))
  (global $notsup i32 (i32.const 58))

  ;; Ends with the number of the step when it did not give what it should.
  (func $check (param $step i32) (param $want i32) (param $got i32)
    (if (i32.ne (local.get $want) (local.get $got))
      (then (call $proc_exit (local.get $step)))))

  (func (export "_start")
    (call $check (i32.const 1) (i32.const 0) (call $proc_raise (i32.const 0)))
    (call $check (i32.const 2) (i32.const 0) (call $proc_raise (i32.const 16)))
    (call $check (i32.const 3) (i32.const 0) (call $proc_raise (i32.const 22)))
    (call $check (i32.const 4) (global.get $inval) (call $proc_raise (i32.const 31)))
    (call $check (i32.const 5) (global.get $notsup) (call $proc_raise (i32.const 18)))
    (drop (call $proc_raise (i32.const 6)))
    (call $proc_exit (i32.const 99))))
