;; Reading at an offset leaves the descriptor where it is.
;; dir: /
;; file: file 0123456789
;; stdin: x
;; exit: 0
(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_pread"
    (func $fd_pread (param i32 i32 i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_tell" (func $fd_tell (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (global $badf i32 (i32.const 8))
  (global $inval i32 (i32.const 28))
  (global $notcapable i32 (i32.const 76))
  (data (i32.const 1024) "file")
  (data (i32.const 1028) "45678")

  ;; Ends with the number of the step when it did not give what it should.
  (func $check (param $step i32) (param $want i32) (param $got i32)
    (if (i32.ne (local.get $want) (local.get $got))
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
    (i32.store (i32.const 16) (i32.const 4096)) (i32.store (i32.const 20) (i32.const 2))
    (i32.store (i32.const 24) (i32.const 5000)) (i32.store (i32.const 28) (i32.const 0))
    (i32.store (i32.const 32) (i32.const 4098)) (i32.store (i32.const 36) (i32.const 3))
    (call $check (i32.const 2) (i32.const 0)
      (call $fd_pread (i32.load (i32.const 0)) (i32.const 16) (i32.const 3) (i64.const 4)
        (i32.const 8)))
    (call $check (i32.const 3) (i32.const 5) (i32.load (i32.const 8)))
    (call $check_bytes (i32.const 4) (i32.const 4096) (i32.const 1028) (i32.const 5)) ;; "45678"
    (call $check (i32.const 5) (i32.const 0)
      (call $fd_tell (i32.load (i32.const 0)) (i32.const 40)))
    (call $check (i32.const 6) (i32.const 0) (i32.wrap_i64 (i64.load (i32.const 40))))
    (call $check (i32.const 7) (i32.const 0)
      (call $fd_pread (i32.load (i32.const 0)) (i32.const 16) (i32.const 3) (i64.const 8)
        (i32.const 8)))
    (call $check (i32.const 8) (i32.const 2) (i32.load (i32.const 8)))
    (call $check (i32.const 9) (i32.const 0)
      (call $fd_pread (i32.load (i32.const 0)) (i32.const 16) (i32.const 3)
        (i64.const 1000) (i32.const 8)))
    (call $check (i32.const 10) (i32.const 0) (i32.load (i32.const 8)))
    (call $check (i32.const 11) (i32.const 0)
      (call $fd_pread (i32.load (i32.const 0)) (i32.const 16) (i32.const 0) (i64.const 0)
        (i32.const 8)))
    (call $check (i32.const 12) (i32.const 0) (i32.load (i32.const 8)))
    (call $check (i32.const 13) (global.get $inval)
      (call $fd_pread (i32.load (i32.const 0)) (i32.const 16) (i32.const 1) (i64.const -1)
        (i32.const 8)))
    (call $check (i32.const 14) (global.get $badf)
      (call $fd_pread (i32.const 99) (i32.const 16) (i32.const 1) (i64.const 0) (i32.const 8)))
    (call $check_fails (i32.const 15)
      (call $fd_pread (i32.const 3) (i32.const 16) (i32.const 1) (i64.const 0) (i32.const 8)))

    ;; Without the right to seek there is no offset.
    (call $check (i32.const 16) (i32.const 0)
      (call $path_open (i32.const 3) (i32.const 1) (i32.const 1024) (i32.const 4) (; "file" ;)
        (i32.const 0) (i64.const 0x2) (i64.const 0x3fffffff) (i32.const 0) (i32.const 4)))
    (call $check (i32.const 17) (global.get $notcapable)
      (call $fd_pread (i32.load (i32.const 4)) (i32.const 16) (i32.const 1) (i64.const 0)
        (i32.const 8)))))
