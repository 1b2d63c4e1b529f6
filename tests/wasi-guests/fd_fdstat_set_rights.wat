;; Rights can be given up, never taken back.
;; dir: /
;; file: file data
;; exit: 0
(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_fdstat_get"
    (func $fd_fdstat_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_fdstat_set_rights"
    (func $fd_fdstat_set_rights (param i32 i64 i64) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (global $badf i32 (i32.const 8))
  (global $notcapable i32 (i32.const 76))
  (data (i32.const 1024) "file")
  (data (i32.const 1028) ".")

  ;; Ends with the number of the step when it did not give what it should.
  (func $check (param $step i32) (param $want i32) (param $got i32)
    (if (i32.ne (local.get $want) (local.get $got))
      (then (call $proc_exit (local.get $step)))))

  ;; The specification leaves the choice between two.
  (func $check_either (param $step i32) (param $one i32) (param $other i32) (param $got i32)
    (if (i32.and (i32.ne (local.get $one) (local.get $got))
                 (i32.ne (local.get $other) (local.get $got)))
      (then (call $proc_exit (local.get $step)))))

  (func $check_true (param $step i32) (param $holds i32)
    (if (i32.eqz (local.get $holds)) (then (call $proc_exit (local.get $step)))))

  (func (export "_start") (local $base i64)
    (call $check (i32.const 1) (i32.const 0)
      (call $path_open (i32.const 3) (i32.const 1) (i32.const 1024) (i32.const 4) (; "file" ;)
        (i32.const 0) (i64.const 0x3fffffff) (i64.const 0x3fffffff) (i32.const 0)
        (i32.const 0)))
    (call $check (i32.const 2) (i32.const 0)
      (call $fd_fdstat_get (i32.load (i32.const 0)) (i32.const 64)))

    ;; All but reading.
    (local.set $base (i64.and (i64.load (i32.const 72)) (i64.const -3)))
    (call $check (i32.const 3) (i32.const 0)
      (call $fd_fdstat_set_rights (i32.load (i32.const 0)) (local.get $base) (i64.const 0)))
    (call $check (i32.const 4) (i32.const 0)
      (call $fd_fdstat_get (i32.load (i32.const 0)) (i32.const 64)))
    (call $check_true (i32.const 5) (i64.eq (i64.load (i32.const 72)) (local.get $base)))
    (call $check_true (i32.const 6) (i64.eqz (i64.load (i32.const 80))))
    (i32.store (i32.const 16) (i32.const 4096)) (i32.store (i32.const 20) (i32.const 4))
    (call $check_either (i32.const 7) (global.get $notcapable) (global.get $badf)
      (call $fd_read (i32.load (i32.const 0)) (i32.const 16) (i32.const 1) (i32.const 8)))
    (call $check (i32.const 8) (i32.const 0)
      (call $fd_write (i32.load (i32.const 0)) (i32.const 16) (i32.const 1) (i32.const 8)))
    (call $check (i32.const 9) (global.get $notcapable)
      (call $fd_fdstat_set_rights (i32.load (i32.const 0)) (i64.or (local.get $base) (i64.const 2))
        (i64.const 0)))
    (call $check (i32.const 10) (global.get $notcapable)
      (call $fd_fdstat_set_rights (i32.load (i32.const 0)) (local.get $base) (i64.const 2)))
    (call $check (i32.const 11) (global.get $badf)
      (call $fd_fdstat_set_rights (i32.const 99) (i64.const 0) (i64.const 0)))

    ;; A directory that may not hand on the right to write opens nothing for writing.
    (call $check (i32.const 12) (i32.const 0)
      (call $path_open (i32.const 3) (i32.const 1) (i32.const 1028) (i32.const 1) (; "." ;)
        (i32.const 2) (i64.const 0x3fffffbd) (i64.const 0x3fffffff) (i32.const 0)
        (i32.const 4)))
    (call $check (i32.const 13) (i32.const 0)
      (call $fd_fdstat_get (i32.load (i32.const 4)) (i32.const 64)))
    (call $check (i32.const 14) (i32.const 0)
      (call $fd_fdstat_set_rights (i32.load (i32.const 4)) (i64.load (i32.const 72))
        (i64.and (i64.load (i32.const 80)) (i64.const -65))))
    (call $check (i32.const 15) (global.get $notcapable)
      (call $path_open (i32.load (i32.const 4)) (i32.const 0) (i32.const 1024)
        (i32.const 4) (; "file" ;) (i32.const 0) (i64.const 0x40) (i64.const 0)
        (i32.const 0) (i32.const 8)))
    (call $check (i32.const 16) (i32.const 0)
      (call $path_open (i32.load (i32.const 4)) (i32.const 0) (i32.const 1024)
        (i32.const 4) (; "file" ;) (i32.const 0) (i64.const 0x2) (i64.const 0)
        (i32.const 0) (i32.const 8)))))
