;; What was written is on the disk afterwards.
;; dir: /
;; exit: 0
(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_sync" (func $fd_sync (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $fd_close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (global $badf i32 (i32.const 8))
  (global $notcapable i32 (i32.const 76))
  (data (i32.const 1024) "file")
  (data (i32.const 1028) "data")

  ;; Ends with the number of the step when it did not give what it should.
  (func $check (param $step i32) (param $want i32) (param $got i32)
    (if (i32.ne (local.get $want) (local.get $got))
      (then (call $proc_exit (local.get $step)))))

  (func (export "_start")
    (call $check (i32.const 1) (i32.const 0)
      (call $path_open (i32.const 3) (i32.const 1) (i32.const 1024) (i32.const 4) (; "file" ;)
        (i32.const 1) (i64.const 0x3fffffff) (i64.const 0x3fffffff) (i32.const 0)
        (i32.const 0)))
    (i32.store (i32.const 16) (i32.const 1028)) (i32.store (i32.const 20) (i32.const 4)) ;; "data"
    (call $check (i32.const 2) (i32.const 0)
      (call $fd_write (i32.load (i32.const 0)) (i32.const 16) (i32.const 1) (i32.const 8)))
    (call $check (i32.const 3) (i32.const 0) (call $fd_sync (i32.load (i32.const 0))))
    (call $check (i32.const 4) (global.get $badf) (call $fd_sync (i32.const 99)))
    (call $check (i32.const 5) (i32.const 0) (call $fd_close (i32.load (i32.const 0))))
    (call $check (i32.const 6) (global.get $badf) (call $fd_sync (i32.load (i32.const 0))))

    ;; A descriptor without the right may not.
    (call $check (i32.const 7) (i32.const 0)
      (call $path_open (i32.const 3) (i32.const 1) (i32.const 1024) (i32.const 4) (; "file" ;)
        (i32.const 0) (i64.const 0x2) (i64.const 0x3fffffff) (i32.const 0) (i32.const 0)))
    (call $check (i32.const 8) (global.get $notcapable)
      (call $fd_sync (i32.load (i32.const 0))))))
