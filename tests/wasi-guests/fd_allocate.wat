;; A file grows to hold what is allocated, and never shrinks.
;; dir: /
;; exit: 0
(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_allocate"
    (func $fd_allocate (param i32 i64 i64) (result i32)))
  (import "wasi_snapshot_preview1" "fd_filestat_get"
    (func $fd_filestat_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (global $badf i32 (i32.const 8))
  (global $fbig i32 (i32.const 22))
  (global $inval i32 (i32.const 28))
  (global $notcapable i32 (i32.const 76))
  (data (i32.const 1024) "file")

  ;; Ends with the number of the step when it did not give what it should.
  (func $check (param $step i32) (param $want i32) (param $got i32)
    (if (i32.ne (local.get $want) (local.get $got))
      (then (call $proc_exit (local.get $step)))))

  ;; The specification leaves the choice between two.
  (func $check_either (param $step i32) (param $one i32) (param $other i32) (param $got i32)
    (if (i32.and (i32.ne (local.get $one) (local.get $got))
                 (i32.ne (local.get $other) (local.get $got)))
      (then (call $proc_exit (local.get $step)))))

  (func $check_fails (param $step i32) (param $got i32)
    (if (i32.eqz (local.get $got)) (then (call $proc_exit (local.get $step)))))

  (func (export "_start")
    (call $check (i32.const 1) (i32.const 0)
      (call $path_open (i32.const 3) (i32.const 1) (i32.const 1024) (i32.const 4) (; "file" ;)
        (i32.const 1) (i64.const 0x3fffffff) (i64.const 0x3fffffff) (i32.const 0)
        (i32.const 0)))
    (call $check (i32.const 2) (i32.const 0)
      (call $fd_allocate (i32.load (i32.const 0)) (i64.const 0) (i64.const 100)))
    (call $check (i32.const 3) (i32.const 0)
      (call $fd_filestat_get (i32.load (i32.const 0)) (i32.const 64)))
    (call $check (i32.const 4) (i32.const 100) (i32.wrap_i64 (i64.load (i32.const 96))))
    (call $check (i32.const 5) (i32.const 0)
      (call $fd_allocate (i32.load (i32.const 0)) (i64.const 10) (i64.const 10)))
    (call $check (i32.const 6) (i32.const 0)
      (call $fd_filestat_get (i32.load (i32.const 0)) (i32.const 64)))
    (call $check (i32.const 7) (i32.const 100) (i32.wrap_i64 (i64.load (i32.const 96))))
    (call $check (i32.const 8) (i32.const 0)
      (call $fd_allocate (i32.load (i32.const 0)) (i64.const 90) (i64.const 20)))
    (call $check (i32.const 9) (i32.const 0)
      (call $fd_filestat_get (i32.load (i32.const 0)) (i32.const 64)))
    (call $check (i32.const 10) (i32.const 110) (i32.wrap_i64 (i64.load (i32.const 96))))
    (call $check (i32.const 11) (global.get $inval)
      (call $fd_allocate (i32.load (i32.const 0)) (i64.const 0) (i64.const 0)))
    (call $check_either (i32.const 12) (global.get $fbig) (global.get $inval)
      (call $fd_allocate (i32.load (i32.const 0)) (i64.const 1) (i64.const 9223372036854775807)))
    (call $check (i32.const 13) (global.get $badf)
      (call $fd_allocate (i32.const 99) (i64.const 0) (i64.const 1)))
    (call $check_fails (i32.const 14)
      (call $fd_allocate (i32.const 3) (i64.const 0) (i64.const 1)))

    ;; Without the right there is no room.
    (call $check (i32.const 15) (i32.const 0)
      (call $path_open (i32.const 3) (i32.const 1) (i32.const 1024) (i32.const 4) (; "file" ;)
        (i32.const 0) (i64.const 0x3ffffefd) (i64.const 0x3fffffff) (i32.const 0)
        (i32.const 4)))
    (call $check (i32.const 16) (global.get $notcapable)
      (call $fd_allocate (i32.load (i32.const 4)) (i64.const 0) (i64.const 1000)))))
