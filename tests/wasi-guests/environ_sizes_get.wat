;; Without variables there is nothing to get.
;; exit: 0
(module
  (import "wasi_snapshot_preview1" "environ_sizes_get"
    (func $environ_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)

  ;; Ends with the number of the step when it did not give what it should.
  (func $check (param $step i32) (param $want i32) (param $got i32)
    (if (i32.ne (local.get $want) (local.get $got))
      (then (call $proc_exit (local.get $step)))))

  (func (export "_start")
    (i32.store (i32.const 0) (i32.const 77))
    (i32.store (i32.const 4) (i32.const 77))
    (call $check (i32.const 1) (i32.const 0)
      (call $environ_sizes_get (i32.const 0) (i32.const 4)))
    (call $check (i32.const 2) (i32.const 0) (i32.load (i32.const 0)))
    (call $check (i32.const 3) (i32.const 0) (i32.load (i32.const 4)))
    (call $check (i32.const 4) (i32.const 0)
      (call $environ_get (i32.const 16) (i32.const 4096)))))
