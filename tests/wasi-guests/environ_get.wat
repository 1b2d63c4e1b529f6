;; The variables arrive as NAME=VALUE, each ending in NUL.
;; env: FIRST=1
;; env: SECOND=a=b
;; exit: 0
(module
  (import "wasi_snapshot_preview1" "environ_sizes_get"
    (func $environ_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 1024) "FIRST=1\00")
  (data (i32.const 1032) "SECOND=a=b\00")

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
      (call $environ_sizes_get (i32.const 0) (i32.const 4)))
    (call $check (i32.const 2) (i32.const 2) (i32.load (i32.const 0)))
    (call $check (i32.const 3) (i32.const 19) (i32.load (i32.const 4)))
    (call $check (i32.const 4) (i32.const 0)
      (call $environ_get (i32.const 16) (i32.const 4096)))
    (call $check_bytes (i32.const 5) (i32.load (i32.const 16))
      (i32.const 1024) (i32.const 8)) ;; "FIRST=1\00"
    (call $check_bytes (i32.const 6) (i32.load (i32.const 20))
      (i32.const 1032) (i32.const 11)) ;; "SECOND=a=b\00"
  ))
