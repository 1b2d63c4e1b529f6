;; Where a descriptor is: reading and writing move it.
;; dir: /
;; file: file 0123456789
;; exit: 0
(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_tell" (func $fd_tell (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_seek" (func $fd_seek (param i32 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (global $badf i32 (i32.const 8))
  (global $notcapable i32 (i32.const 76))
  (data (i32.const 1024) "file")

  ;; Ends with the number of the step when it did not give what it should.
  (func $check (param $step i32) (param $want i32) (param $got i32)
    (if (i32.ne (local.get $want) (local.get $got))
      (then (call $proc_exit (local.get $step)))))

  (func $check_fails (param $step i32) (param $got i32)
    (if (i32.eqz (local.get $got)) (then (call $proc_exit (local.get $step)))))

  (func (export "_start")
    (call $check (i32.const 1) (i32.const 0)
      (call $path_open (i32.const 3) (i32.const 1) (i32.const 1024) (i32.const 4) (; "file" ;)
        (i32.const 0) (i64.const 0x3fffffff) (i64.const 0x3fffffff) (i32.const 0)
        (i32.const 0)))
    (call $check (i32.const 2) (i32.const 0)
      (call $fd_tell (i32.load (i32.const 0)) (i32.const 40)))
    (call $check (i32.const 3) (i32.const 0) (i32.wrap_i64 (i64.load (i32.const 40))))
    (i32.store (i32.const 16) (i32.const 4096)) (i32.store (i32.const 20) (i32.const 3))
    (call $check (i32.const 4) (i32.const 0)
      (call $fd_read (i32.load (i32.const 0)) (i32.const 16) (i32.const 1) (i32.const 8)))
    (call $check (i32.const 5) (i32.const 0)
      (call $fd_tell (i32.load (i32.const 0)) (i32.const 40)))
    (call $check (i32.const 6) (i32.const 3) (i32.wrap_i64 (i64.load (i32.const 40))))
    (call $check (i32.const 7) (i32.const 0)
      (call $fd_write (i32.load (i32.const 0)) (i32.const 16) (i32.const 1) (i32.const 8)))
    (call $check (i32.const 8) (i32.const 0)
      (call $fd_tell (i32.load (i32.const 0)) (i32.const 40)))
    (call $check (i32.const 9) (i32.const 6) (i32.wrap_i64 (i64.load (i32.const 40))))
    (call $check_fails (i32.const 10) (call $fd_tell (i32.const 3) (i32.const 40)))
    (call $check (i32.const 11) (global.get $badf)
      (call $fd_tell (i32.const 99) (i32.const 40)))

    ;; Whoever may not seek may still tell.
    (call $check (i32.const 12) (i32.const 0)
      (call $path_open (i32.const 3) (i32.const 1) (i32.const 1024) (i32.const 4) (; "file" ;)
        (i32.const 0) (i64.const 0x22) (i64.const 0x3fffffff) (i32.const 0) (i32.const 4)))
    (call $check (i32.const 13) (i32.const 0)
      (call $fd_tell (i32.load (i32.const 4)) (i32.const 40)))
    (call $check (i32.const 14) (i32.const 0) (i32.wrap_i64 (i64.load (i32.const 40))))
    (call $check (i32.const 15) (global.get $notcapable)
      (call $fd_seek (i32.load (i32.const 4)) (i64.const 1) (i32.const 1) (i32.const 40)))))
