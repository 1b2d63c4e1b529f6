;; A closed number stands for nothing, and is the next to be given.
;; dir: /
;; file: file data
;; exit: 0
(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $fd_close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_fdstat_get"
    (func $fd_fdstat_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_prestat_get"
    (func $fd_prestat_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (global $badf i32 (i32.const 8))
  (data (i32.const 1024) "file")

  ;; Ends with the number of the step when it did not give what it should.
  (func $check (param $step i32) (param $want i32) (param $got i32)
    (if (i32.ne (local.get $want) (local.get $got))
      (then (call $proc_exit (local.get $step)))))

  (func $check_true (param $step i32) (param $holds i32)
    (if (i32.eqz (local.get $holds)) (then (call $proc_exit (local.get $step)))))

  (func (export "_start")
    (call $check (i32.const 1) (i32.const 0)
      (call $path_open (i32.const 3) (i32.const 1) (i32.const 1024) (i32.const 4) (; "file" ;)
        (i32.const 0) (i64.const 0x3fffffff) (i64.const 0x3fffffff) (i32.const 0)
        (i32.const 0)))
    (call $check (i32.const 2) (i32.const 0)
      (call $path_open (i32.const 3) (i32.const 1) (i32.const 1024) (i32.const 4) (; "file" ;)
        (i32.const 0) (i64.const 0x3fffffff) (i64.const 0x3fffffff) (i32.const 0)
        (i32.const 4)))
    (call $check (i32.const 3) (i32.const 0) (call $fd_close (i32.load (i32.const 0))))
    (call $check (i32.const 4) (global.get $badf) (call $fd_close (i32.load (i32.const 0))))
    (call $check (i32.const 5) (global.get $badf)
      (call $fd_fdstat_get (i32.load (i32.const 0)) (i32.const 64)))
    (call $check (i32.const 6) (i32.const 0)
      (call $path_open (i32.const 3) (i32.const 1) (i32.const 1024) (i32.const 4) (; "file" ;)
        (i32.const 0) (i64.const 0x3fffffff) (i64.const 0x3fffffff) (i32.const 0)
        (i32.const 8)))

    ;; The lowest free number comes first.
    (call $check_true (i32.const 7) (i32.eq (i32.load (i32.const 0)) (i32.load (i32.const 8))))

    ;; Standard streams and granted directories can be closed as well.
    (call $check (i32.const 8) (i32.const 0) (call $fd_close (i32.const 2)))
    (call $check (i32.const 9) (global.get $badf) (call $fd_close (i32.const 2)))
    (call $check (i32.const 10) (i32.const 0) (call $fd_close (i32.const 3)))
    (call $check (i32.const 11) (global.get $badf)
      (call $fd_prestat_get (i32.const 3) (i32.const 64)))
    (call $check (i32.const 12) (i32.const 0)
      (call $fd_fdstat_get (i32.load (i32.const 4)) (i32.const 64)))
    (call $check (i32.const 13) (global.get $badf) (call $fd_close (i32.const -1)))
    (call $check (i32.const 14) (global.get $badf) (call $fd_close (i32.const 2147483647)))))
