;; Entries with their types; a cookie leads on; a small buffer gets a part.
;; dir: /
;; file: sub/one 1
;; file: sub/two 2
;; exit: 0
(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_readdir"
    (func $fd_readdir (param i32 i32 i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_create_directory"
    (func $path_create_directory (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (global $badf i32 (i32.const 8))
  (global $notcapable i32 (i32.const 76))
  (data (i32.const 1024) "sub")
  (data (i32.const 1027) "three")
  (data (i32.const 1032) "sub/one")

  ;; Ends with the number of the step when it did not give what it should.
  (func $check (param $step i32) (param $want i32) (param $got i32)
    (if (i32.ne (local.get $want) (local.get $got))
      (then (call $proc_exit (local.get $step)))))

  (func $check_fails (param $step i32) (param $got i32)
    (if (i32.eqz (local.get $got)) (then (call $proc_exit (local.get $step)))))

  (func $check_true (param $step i32) (param $holds i32)
    (if (i32.eqz (local.get $holds)) (then (call $proc_exit (local.get $step)))))

  (func (export "_start")
    (call $check (i32.const 1) (i32.const 0)
      (call $path_open (i32.const 3) (i32.const 1) (i32.const 1024) (i32.const 3) (; "sub" ;)
        (i32.const 2) (i64.const 0x3fffffbd) (i64.const 0x3fffffff) (i32.const 0)
        (i32.const 0)))
    (call $check (i32.const 2) (i32.const 0)
      (call $fd_readdir (i32.load (i32.const 0)) (i32.const 4096) (i32.const 4096)
        (i64.const 0) (i32.const 8)))

    ;; ".", "..", "one", "two": four heads of 24 bytes and nine of names.
    (call $check (i32.const 3) (i32.const 105) (i32.load (i32.const 8)))

    ;; From the second entry on it is less by the first.
    (call $check (i32.const 4) (i32.const 0)
      (call $fd_readdir (i32.load (i32.const 0)) (i32.const 8192) (i32.const 4096)
        (i64.load (i32.const 4096)) (i32.const 12)))
    (call $check_true (i32.const 5)
      (i32.eq (i32.load (i32.const 12))
      (i32.sub (i32.load (i32.const 8)) (i32.add (i32.const 24) (i32.load (i32.const 4112))))))

    ;; A buffer that is full says that there may be more.
    (call $check (i32.const 6) (i32.const 0)
      (call $fd_readdir (i32.load (i32.const 0)) (i32.const 8192) (i32.const 30)
        (i64.const 0) (i32.const 12)))
    (call $check (i32.const 7) (i32.const 30) (i32.load (i32.const 12)))
    (call $check (i32.const 8) (i32.const 0)
      (call $fd_readdir (i32.load (i32.const 0)) (i32.const 8192) (i32.const 5)
        (i64.const 0) (i32.const 12)))
    (call $check (i32.const 9) (i32.const 5) (i32.load (i32.const 12)))

    ;; What is created shows up when the listing begins anew.
    (call $check (i32.const 10) (i32.const 0)
      (call $path_create_directory (i32.load (i32.const 0)) (i32.const 1027) (i32.const 5) (; "three" ;)))
    (call $check (i32.const 11) (i32.const 0)
      (call $fd_readdir (i32.load (i32.const 0)) (i32.const 4096) (i32.const 4096)
        (i64.const 0) (i32.const 8)))
    (call $check (i32.const 12) (i32.const 134) (i32.load (i32.const 8)))
    (call $check (i32.const 13) (global.get $badf)
      (call $fd_readdir (i32.const 99) (i32.const 4096) (i32.const 4096) (i64.const 0)
        (i32.const 8)))
    (call $check (i32.const 14) (i32.const 0)
      (call $path_open (i32.const 3) (i32.const 1) (i32.const 1032) (i32.const 7) (; "sub/one" ;)
        (i32.const 0) (i64.const 0x3fffffff) (i64.const 0x3fffffff) (i32.const 0)
        (i32.const 4)))
    (call $check_fails (i32.const 15)
      (call $fd_readdir (i32.load (i32.const 4)) (i32.const 4096) (i32.const 4096)
        (i64.const 0) (i32.const 8)))

    ;; Not without the right to.
    (call $check (i32.const 16) (i32.const 0)
      (call $path_open (i32.const 3) (i32.const 1) (i32.const 1024) (i32.const 3) (; "sub" ;)
        (i32.const 2) (i64.const 0x0) (i64.const 0x3fffffff) (i32.const 0) (i32.const 4)))
    (call $check (i32.const 17) (global.get $notcapable)
      (call $fd_readdir (i32.load (i32.const 4)) (i32.const 4096) (i32.const 4096)
        (i64.const 0) (i32.const 8)))))
