;; Random bytes fill the buffer, all of it and nothing else.
;; exit: 0
(module
  (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)

  ;; Ends with the number of the step when it did not give what it should.
  (func $check (param $step i32) (param $want i32) (param $got i32)
    (if (i32.ne (local.get $want) (local.get $got))
      (then (call $proc_exit (local.get $step)))))

  (func $check_true (param $step i32) (param $holds i32)
    (if (i32.eqz (local.get $holds)) (then (call $proc_exit (local.get $step)))))

  (func (export "_start")
    (call $check (i32.const 1) (i32.const 0) (call $random_get (i32.const 4096) (i32.const 16)))
    (call $check (i32.const 2) (i32.const 0) (call $random_get (i32.const 4112) (i32.const 16)))
    (call $check_true (i32.const 3)
      (i64.ne (i64.load (i32.const 4096)) (i64.load (i32.const 4112))))
    (call $check_true (i32.const 4)
      (i64.ne (i64.load (i32.const 4104)) (i64.load (i32.const 4120))))
    (call $check_true (i32.const 5) (i64.eqz (i64.load (i32.const 4088))))
    (call $check_true (i32.const 6) (i64.eqz (i64.load (i32.const 4128))))
    (call $check (i32.const 7) (i32.const 0) (call $random_get (i32.const 0) (i32.const 0)))
    (call $check (i32.const 8) (i32.const 0) (call $random_get (i32.const 0) (i32.const 65536)))))
