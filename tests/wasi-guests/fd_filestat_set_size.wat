;; A file is cut, or grows with zeros.
;; dir: /
;; file: file 0123456789
;; exit: 0
(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_filestat_set_size"
    (func $fd_filestat_set_size (param i32 i64) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (global $badf i32 (i32.const 8))
  (global $fbig i32 (i32.const 22))
  (global $inval i32 (i32.const 28))
  (global $notcapable i32 (i32.const 76))
  (data (i32.const 1024) "file")
  (data (i32.const 1028) "0123\00\00")

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
      (call $path_open (i32.const 3) (i32.const 1) (i32.const 1024) (i32.const 4) (; "file" ;)
        (i32.const 0) (i64.const 0x3fffffff) (i64.const 0x3fffffff) (i32.const 0)
        (i32.const 0)))
    (call $check (i32.const 2) (i32.const 0)
      (call $fd_filestat_set_size (i32.load (i32.const 0)) (i64.const 4)))
    (call $check (i32.const 3) (i32.const 0)
      (call $fd_filestat_set_size (i32.load (i32.const 0)) (i64.const 6)))
    (i32.store (i32.const 16) (i32.const 4096)) (i32.store (i32.const 20) (i32.const 100))
    (call $check (i32.const 4) (i32.const 0)
      (call $fd_read (i32.load (i32.const 0)) (i32.const 16) (i32.const 1) (i32.const 8)))
    (call $check (i32.const 5) (i32.const 6) (i32.load (i32.const 8)))
    (call $check_bytes (i32.const 6) (i32.const 4096)
      (i32.const 1028) (i32.const 6)) ;; "0123\00\00"
    (call $check_either (i32.const 7) (global.get $fbig) (global.get $inval)
      (call $fd_filestat_set_size (i32.load (i32.const 0)) (i64.const -1)))
    (call $check (i32.const 8) (global.get $badf)
      (call $fd_filestat_set_size (i32.const 99) (i64.const 4)))
    (call $check_fails (i32.const 9) (call $fd_filestat_set_size (i32.const 3) (i64.const 4)))

    ;; Not without the right to.
    (call $check (i32.const 10) (i32.const 0)
      (call $path_open (i32.const 3) (i32.const 1) (i32.const 1024) (i32.const 4) (; "file" ;)
        (i32.const 0) (i64.const 0x2) (i64.const 0x3fffffff) (i32.const 0) (i32.const 4)))
    (call $check (i32.const 11) (global.get $notcapable)
      (call $fd_filestat_set_size (i32.load (i32.const 4)) (i64.const 0)))))
