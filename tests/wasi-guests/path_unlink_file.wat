;; A file is removed, a link as itself; a directory is not.
;; dir: /
;; file: file data
;; file: dir/file x
;; symlink: link dir/file
;; exit: 0
(module
  (import "wasi_snapshot_preview1" "path_unlink_file"
    (func $path_unlink_file (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_filestat_get"
    (func $path_filestat_get (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (global $badf i32 (i32.const 8))
  (global $isdir i32 (i32.const 31))
  (global $noent i32 (i32.const 44))
  (global $notdir i32 (i32.const 54))
  (global $perm i32 (i32.const 63))
  (global $notcapable i32 (i32.const 76))
  (data (i32.const 1024) "link")
  (data (i32.const 1028) "dir/file")
  (data (i32.const 1036) "file/")
  (data (i32.const 1041) "file")
  (data (i32.const 1045) "dir")
  (data (i32.const 1048) "dir/")
  (data (i32.const 1052) "../file")
  (data (i32.const 1059) "/file")

  ;; Ends with the number of the step when it did not give what it should.
  (func $check (param $step i32) (param $want i32) (param $got i32)
    (if (i32.ne (local.get $want) (local.get $got))
      (then (call $proc_exit (local.get $step)))))

  ;; The specification leaves the choice between two.
  (func $check_either (param $step i32) (param $one i32) (param $other i32) (param $got i32)
    (if (i32.and (i32.ne (local.get $one) (local.get $got))
                 (i32.ne (local.get $other) (local.get $got)))
      (then (call $proc_exit (local.get $step)))))

  (func (export "_start")
    (call $check (i32.const 1) (i32.const 0)
      (call $path_unlink_file (i32.const 3) (i32.const 1024) (i32.const 4) (; "link" ;)))
    (call $check (i32.const 2) (i32.const 0)
      (call $path_filestat_get (i32.const 3) (i32.const 0) (i32.const 1028) (i32.const 8) (; "dir/file" ;)
        (i32.const 64)))
    (call $check (i32.const 3) (global.get $notdir)
      (call $path_unlink_file (i32.const 3) (i32.const 1036) (i32.const 5) (; "file/" ;)))
    (call $check (i32.const 4) (i32.const 0)
      (call $path_unlink_file (i32.const 3) (i32.const 1041) (i32.const 4) (; "file" ;)))
    (call $check (i32.const 5) (global.get $noent)
      (call $path_unlink_file (i32.const 3) (i32.const 1041) (i32.const 4) (; "file" ;)))
    (call $check (i32.const 6) (global.get $isdir)
      (call $path_unlink_file (i32.const 3) (i32.const 1045) (i32.const 3) (; "dir" ;)))
    (call $check (i32.const 7) (global.get $isdir)
      (call $path_unlink_file (i32.const 3) (i32.const 1048) (i32.const 4) (; "dir/" ;)))
    (call $check_either (i32.const 8) (global.get $perm) (global.get $notcapable)
      (call $path_unlink_file (i32.const 3) (i32.const 1052) (i32.const 7) (; "../file" ;)))
    (call $check_either (i32.const 9) (global.get $perm) (global.get $notcapable)
      (call $path_unlink_file (i32.const 3) (i32.const 1059) (i32.const 5) (; "/file" ;)))
    (call $check (i32.const 10) (global.get $badf)
      (call $path_unlink_file (i32.const 99) (i32.const 1041) (i32.const 4) (; "file" ;)))

    ;; What is open stays readable without a name.
    (call $check (i32.const 11) (i32.const 0)
      (call $path_open (i32.const 3) (i32.const 1) (i32.const 1028) (i32.const 8) (; "dir/file" ;)
        (i32.const 0) (i64.const 0x3fffffff) (i64.const 0x3fffffff) (i32.const 0)
        (i32.const 0)))
    (call $check (i32.const 12) (i32.const 0)
      (call $path_unlink_file (i32.const 3) (i32.const 1028) (i32.const 8) (; "dir/file" ;)))
    (i32.store (i32.const 16) (i32.const 4096)) (i32.store (i32.const 20) (i32.const 9))
    (call $check (i32.const 13) (i32.const 0)
      (call $fd_read (i32.load (i32.const 0)) (i32.const 16) (i32.const 1) (i32.const 8)))
    (call $check (i32.const 14) (i32.const 1) (i32.load (i32.const 8)))))
