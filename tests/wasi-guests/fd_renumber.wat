;; One descriptor takes the number of another, which is closed.
;; dir: /
;; file: one 1
;; file: two 22
;; exit: 0
(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_renumber" (func $fd_renumber (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $fd_close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_filestat_get"
    (func $fd_filestat_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (global $badf i32 (i32.const 8))
  (data (i32.const 1024) "one")
  (data (i32.const 1027) "two")
  (data (i32.const 1030) ".")

  ;; Ends with the number of the step when it did not give what it should.
  (func $check (param $step i32) (param $want i32) (param $got i32)
    (if (i32.ne (local.get $want) (local.get $got))
      (then (call $proc_exit (local.get $step)))))

  (func (export "_start")
    (call $check (i32.const 1) (i32.const 0)
      (call $path_open (i32.const 3) (i32.const 1) (i32.const 1024) (i32.const 3) (; "one" ;)
        (i32.const 0) (i64.const 0x3fffffff) (i64.const 0x3fffffff) (i32.const 0)
        (i32.const 0)))
    (call $check (i32.const 2) (i32.const 0)
      (call $path_open (i32.const 3) (i32.const 1) (i32.const 1027) (i32.const 3) (; "two" ;)
        (i32.const 0) (i64.const 0x3fffffff) (i64.const 0x3fffffff) (i32.const 0)
        (i32.const 4)))
    (call $check (i32.const 3) (i32.const 0)
      (call $fd_renumber (i32.load (i32.const 0)) (i32.load (i32.const 4))))
    (call $check (i32.const 4) (global.get $badf) (call $fd_close (i32.load (i32.const 0))))
    (call $check (i32.const 5) (i32.const 0)
      (call $fd_filestat_get (i32.load (i32.const 4)) (i32.const 64)))
    (call $check (i32.const 6) (i32.const 1) (i32.wrap_i64 (i64.load (i32.const 96))))
    (call $check (i32.const 7) (i32.const 0)
      (call $fd_renumber (i32.load (i32.const 4)) (i32.load (i32.const 4))))
    (call $check (i32.const 8) (i32.const 0)
      (call $fd_filestat_get (i32.load (i32.const 4)) (i32.const 64)))
    (call $check (i32.const 9) (global.get $badf)
      (call $fd_renumber (i32.const 99) (i32.load (i32.const 4))))
    (call $check (i32.const 10) (global.get $badf)
      (call $fd_renumber (i32.load (i32.const 4)) (i32.load (i32.const 0))))
    (call $check (i32.const 11) (i32.const 0)
      (call $fd_filestat_get (i32.load (i32.const 4)) (i32.const 64)))

    ;; Over a standard stream, and over the granted directory.
    (call $check (i32.const 12) (i32.const 0)
      (call $fd_renumber (i32.load (i32.const 4)) (i32.const 2)))
    (call $check (i32.const 13) (i32.const 0)
      (call $fd_filestat_get (i32.const 2) (i32.const 64)))
    (call $check (i32.const 14) (i32.const 1) (i32.wrap_i64 (i64.load (i32.const 96))))
    (call $check (i32.const 15) (i32.const 0)
      (call $path_open (i32.const 3) (i32.const 1) (i32.const 1030) (i32.const 1) (; "." ;)
        (i32.const 2) (i64.const 0x3fffffbd) (i64.const 0x3fffffff) (i32.const 0)
        (i32.const 0)))
    (call $check (i32.const 16) (i32.const 0)
      (call $fd_renumber (i32.load (i32.const 0)) (i32.const 3)))
    (call $check (i32.const 17) (i32.const 0)
      (call $path_open (i32.const 3) (i32.const 1) (i32.const 1027) (i32.const 3) (; "two" ;)
        (i32.const 0) (i64.const 0x3fffffff) (i64.const 0x3fffffff) (i32.const 0)
        (i32.const 0)))))
