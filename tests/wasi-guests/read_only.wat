;; A read-only grant: everything may be looked at, nothing changes.
;; dir: /:ro
;; file: file data
;; file: dir/file x
;; symlink: link file
;; exit: 0
(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_filestat_get"
    (func $path_filestat_get (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_create_directory"
    (func $path_create_directory (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_remove_directory"
    (func $path_remove_directory (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_unlink_file"
    (func $path_unlink_file (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_rename"
    (func $path_rename (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_link"
    (func $path_link (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_symlink"
    (func $path_symlink (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_filestat_set_times"
    (func $path_filestat_set_times (param i32 i32 i32 i32 i64 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_filestat_set_size"
    (func $fd_filestat_set_size (param i32 i64) (result i32)))
  (import "wasi_snapshot_preview1" "fd_filestat_set_times"
    (func $fd_filestat_set_times (param i32 i64 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_allocate"
    (func $fd_allocate (param i32 i64 i64) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 1024) "file")
  (data (i32.const 1028) "link")
  (data (i32.const 1032) "new")
  (data (i32.const 1035) "dir")

  ;; Ends with the number of the step when it did not give what it should.
  (func $check (param $step i32) (param $want i32) (param $got i32)
    (if (i32.ne (local.get $want) (local.get $got))
      (then (call $proc_exit (local.get $step)))))

  (func $check_fails (param $step i32) (param $got i32)
    (if (i32.eqz (local.get $got)) (then (call $proc_exit (local.get $step)))))

  (func (export "_start")
    (call $check (i32.const 1) (i32.const 0)
      (call $path_open (i32.const 3) (i32.const 1) (i32.const 1024) (i32.const 4) (; "file" ;)
        (i32.const 0) (i64.const 0x3fffffbf) (i64.const 0x3fffffff) (i32.const 0)
        (i32.const 0)))
    (i32.store (i32.const 16) (i32.const 4096)) (i32.store (i32.const 20) (i32.const 9))
    (call $check (i32.const 2) (i32.const 0)
      (call $fd_read (i32.load (i32.const 0)) (i32.const 16) (i32.const 1) (i32.const 8)))
    (call $check (i32.const 3) (i32.const 4) (i32.load (i32.const 8)))
    (call $check (i32.const 4) (i32.const 0)
      (call $path_filestat_get (i32.const 3) (i32.const 1) (i32.const 1028) (i32.const 4) (; "link" ;)
        (i32.const 64)))
    (call $check_fails (i32.const 5)
      (call $path_open (i32.const 3) (i32.const 1) (i32.const 1024) (i32.const 4) (; "file" ;)
        (i32.const 0) (i64.const 0x40) (i64.const 0) (i32.const 0) (i32.const 4)))
    (call $check_fails (i32.const 6)
      (call $path_open (i32.const 3) (i32.const 1) (i32.const 1032) (i32.const 3) (; "new" ;)
        (i32.const 1) (i64.const 0x2) (i64.const 0) (i32.const 0) (i32.const 4)))
    (call $check_fails (i32.const 7)
      (call $path_open (i32.const 3) (i32.const 1) (i32.const 1024) (i32.const 4) (; "file" ;)
        (i32.const 8) (i64.const 0x2) (i64.const 0) (i32.const 0) (i32.const 4)))
    (call $check_fails (i32.const 8)
      (call $path_create_directory (i32.const 3) (i32.const 1032) (i32.const 3) (; "new" ;)))
    (call $check_fails (i32.const 9)
      (call $path_remove_directory (i32.const 3) (i32.const 1035) (i32.const 3) (; "dir" ;)))
    (call $check_fails (i32.const 10)
      (call $path_unlink_file (i32.const 3) (i32.const 1024) (i32.const 4) (; "file" ;)))
    (call $check_fails (i32.const 11)
      (call $path_rename (i32.const 3) (i32.const 1024) (i32.const 4) (; "file" ;)
        (i32.const 3) (i32.const 1032) (i32.const 3) (; "new" ;)))
    (call $check_fails (i32.const 12)
      (call $path_link (i32.const 3) (i32.const 0) (i32.const 1024) (i32.const 4) (; "file" ;)
        (i32.const 3) (i32.const 1032) (i32.const 3) (; "new" ;)))
    (call $check_fails (i32.const 13)
      (call $path_symlink (i32.const 1024) (i32.const 4) (; "file" ;) (i32.const 3)
        (i32.const 1032) (i32.const 3) (; "new" ;)))
    (call $check_fails (i32.const 14)
      (call $path_filestat_set_times (i32.const 3) (i32.const 0) (i32.const 1024)
        (i32.const 4) (; "file" ;) (i64.const 0) (i64.const 0) (i32.const 5)))
    (call $check_fails (i32.const 15)
      (call $fd_filestat_set_size (i32.load (i32.const 0)) (i64.const 0)))
    (call $check_fails (i32.const 16)
      (call $fd_filestat_set_times (i32.load (i32.const 0)) (i64.const 0) (i64.const 0)
        (i32.const 5)))
    (call $check_fails (i32.const 17)
      (call $fd_allocate (i32.load (i32.const 0)) (i64.const 0) (i64.const 100)))

    ;; What is opened through the grant is no wider.
    (call $check (i32.const 18) (i32.const 0)
      (call $path_open (i32.const 3) (i32.const 1) (i32.const 1035) (i32.const 3) (; "dir" ;)
        (i32.const 2) (i64.const 0x3fffffbd) (i64.const 0x3fffffff) (i32.const 0)
        (i32.const 4)))
    (call $check_fails (i32.const 19)
      (call $path_open (i32.load (i32.const 4)) (i32.const 1) (i32.const 1024)
        (i32.const 4) (; "file" ;) (i32.const 0) (i64.const 0x40) (i64.const 0)
        (i32.const 0) (i32.const 8)))
    (call $check_fails (i32.const 20)
      (call $path_unlink_file (i32.load (i32.const 4)) (i32.const 1024) (i32.const 4) (; "file" ;)))))
