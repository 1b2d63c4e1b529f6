;; A granted directory says how long its name is; nothing else does.
;; dir: /some/where
;; exit: 0
(module
  (import "wasi_snapshot_preview1" "fd_prestat_get"
    (func $fd_prestat_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (global $badf i32 (i32.const 8))
  (data (i32.const 1024) ".")

  ;; Ends with the number of the step when it did not give what it should.
  (func $check (param $step i32) (param $want i32) (param $got i32)
    (if (i32.ne (local.get $want) (local.get $got))
      (then (call $proc_exit (local.get $step)))))

  (func (export "_start")
    (i32.store (i32.const 64) (i32.const -1))
    (call $check (i32.const 1) (i32.const 0)
      (call $fd_prestat_get (i32.const 3) (i32.const 64)))
    (call $check (i32.const 2) (i32.const 0) (i32.load8_u (i32.const 64)))
    (call $check (i32.const 3) (i32.const 11) (i32.load (i32.const 68)))
    (call $check (i32.const 4) (global.get $badf)
      (call $fd_prestat_get (i32.const 0) (i32.const 64)))
    (call $check (i32.const 5) (global.get $badf)
      (call $fd_prestat_get (i32.const 1) (i32.const 64)))
    (call $check (i32.const 6) (global.get $badf)
      (call $fd_prestat_get (i32.const 2) (i32.const 64)))
    (call $check (i32.const 7) (global.get $badf)
      (call $fd_prestat_get (i32.const 4) (i32.const 64)))
    (call $check (i32.const 8) (global.get $badf)
      (call $fd_prestat_get (i32.const -1) (i32.const 64)))
    (call $check (i32.const 9) (i32.const 0)
      (call $path_open (i32.const 3) (i32.const 1) (i32.const 1024) (i32.const 1) (; "." ;)
        (i32.const 2) (i64.const 0x3fffffbd) (i64.const 0x3fffffff) (i32.const 0)
        (i32.const 0)))
    (call $check (i32.const 10) (global.get $badf)
      (call $fd_prestat_get (i32.load (i32.const 0)) (i32.const 64)))))
