;; Times are set as the flags say; contradictions are refused.
;; dir: /
;; file: file data
;; exit: 0
(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_filestat_set_times"
    (func $fd_filestat_set_times (param i32 i64 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_filestat_get"
    (func $fd_filestat_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (global $badf i32 (i32.const 8))
  (global $inval i32 (i32.const 28))
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
      (call $fd_filestat_set_times (i32.load (i32.const 0)) (i64.const 2000000001)
        (i64.const 3000000002) (i32.const 5)))
    (call $check (i32.const 3) (i32.const 0)
      (call $fd_filestat_get (i32.load (i32.const 0)) (i32.const 64)))
    (call $check (i32.const 4) (i32.const 2000000001) (i32.wrap_i64 (i64.load (i32.const 104))))
    (call $check_true (i32.const 5) (i64.eq (i64.load (i32.const 112)) (i64.const 3000000002)))

    ;; Only the time of modification, to now.
    (call $check (i32.const 6) (i32.const 0)
      (call $fd_filestat_set_times (i32.load (i32.const 0)) (i64.const 7) (i64.const 7)
        (i32.const 8)))
    (call $check (i32.const 7) (i32.const 0)
      (call $fd_filestat_get (i32.load (i32.const 0)) (i32.const 64)))
    (call $check (i32.const 8) (i32.const 2000000001) (i32.wrap_i64 (i64.load (i32.const 104))))
    (call $check_true (i32.const 9)
      (i64.gt_u (i64.load (i32.const 112)) (i64.const 1577836800000000000)))
    (call $check (i32.const 10) (global.get $inval)
      (call $fd_filestat_set_times (i32.load (i32.const 0)) (i64.const 7) (i64.const 7)
        (i32.const 3)))
    (call $check (i32.const 11) (global.get $inval)
      (call $fd_filestat_set_times (i32.load (i32.const 0)) (i64.const 7) (i64.const 7)
        (i32.const 12)))
    (call $check (i32.const 12) (global.get $inval)
      (call $fd_filestat_set_times (i32.load (i32.const 0)) (i64.const 7) (i64.const 7)
        (i32.const 15)))
    (call $check (i32.const 13) (global.get $badf)
      (call $fd_filestat_set_times (i32.const 99) (i64.const 0) (i64.const 0) (i32.const 5)))
    (call $check (i32.const 14) (i32.const 0)
      (call $fd_filestat_get (i32.load (i32.const 0)) (i32.const 64)))
    (call $check (i32.const 15) (i32.const 2000000001)
      (i32.wrap_i64 (i64.load (i32.const 104))))))
