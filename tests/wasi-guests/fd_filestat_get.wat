;; Type, size and number of open files.
;; dir: /
;; file: file 0123456789
;; exit: 0
(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_filestat_get"
    (func $fd_filestat_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_filestat_get"
    (func $path_filestat_get (param i32 i32 i32 i32 i32) (result i32)))
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
      (call $fd_filestat_get (i32.load (i32.const 0)) (i32.const 64)))
    (call $check (i32.const 3) (i32.const 4) (i32.load8_u (i32.const 80)))
    (call $check (i32.const 4) (i32.const 1) (i32.wrap_i64 (i64.load (i32.const 88))))
    (call $check (i32.const 5) (i32.const 10) (i32.wrap_i64 (i64.load (i32.const 96))))
    (call $check_true (i32.const 6)
      (i64.gt_u (i64.load (i32.const 112)) (i64.const 1577836800000000000)))
    (call $check (i32.const 7) (i32.const 0)
      (call $path_filestat_get (i32.const 3) (i32.const 0) (i32.const 1024) (i32.const 4) (; "file" ;)
        (i32.const 160)))

    ;; By name it is the same file.
    (call $check_true (i32.const 8)
      (i64.eq (i64.load (i32.const 64)) (i64.load (i32.const 160))))
    (call $check_true (i32.const 9)
      (i64.eq (i64.load (i32.const 72)) (i64.load (i32.const 168))))
    (call $check (i32.const 10) (i32.const 0)
      (call $fd_filestat_get (i32.const 3) (i32.const 64)))
    (call $check (i32.const 11) (i32.const 3) (i32.load8_u (i32.const 80)))
    (call $check (i32.const 12) (i32.const 0)
      (call $fd_filestat_get (i32.const 1) (i32.const 64)))
    (call $check (i32.const 13) (global.get $badf)
      (call $fd_filestat_get (i32.const 99) (i32.const 64)))))
