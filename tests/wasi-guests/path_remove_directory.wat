;; An empty directory is removed; a full one and a file are not.
;; dir: /
;; file: file data
;; file: full/file x
;; symlink: link full
;; exit: 0
(module
  (import "wasi_snapshot_preview1" "path_create_directory"
    (func $path_create_directory (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_remove_directory"
    (func $path_remove_directory (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_filestat_get"
    (func $path_filestat_get (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (global $badf i32 (i32.const 8))
  (global $noent i32 (i32.const 44))
  (global $notdir i32 (i32.const 54))
  (global $notempty i32 (i32.const 55))
  (global $perm i32 (i32.const 63))
  (global $notcapable i32 (i32.const 76))
  (data (i32.const 1024) "dir")
  (data (i32.const 1027) "dir/")
  (data (i32.const 1031) "full")
  (data (i32.const 1035) "file")
  (data (i32.const 1039) "file/")
  (data (i32.const 1044) "link")
  (data (i32.const 1048) "../dir")
  (data (i32.const 1054) ".")

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
      (call $path_create_directory (i32.const 3) (i32.const 1024) (i32.const 3) (; "dir" ;)))
    (call $check (i32.const 2) (i32.const 0)
      (call $path_remove_directory (i32.const 3) (i32.const 1024) (i32.const 3) (; "dir" ;)))
    (call $check (i32.const 3) (global.get $noent)
      (call $path_filestat_get (i32.const 3) (i32.const 0) (i32.const 1024) (i32.const 3) (; "dir" ;)
        (i32.const 64)))
    (call $check (i32.const 4) (i32.const 0)
      (call $path_create_directory (i32.const 3) (i32.const 1024) (i32.const 3) (; "dir" ;)))
    (call $check (i32.const 5) (i32.const 0)
      (call $path_remove_directory (i32.const 3) (i32.const 1027) (i32.const 4) (; "dir/" ;)))
    (call $check (i32.const 6) (global.get $notempty)
      (call $path_remove_directory (i32.const 3) (i32.const 1031) (i32.const 4) (; "full" ;)))
    (call $check (i32.const 7) (global.get $notdir)
      (call $path_remove_directory (i32.const 3) (i32.const 1035) (i32.const 4) (; "file" ;)))
    (call $check (i32.const 8) (global.get $notdir)
      (call $path_remove_directory (i32.const 3) (i32.const 1039) (i32.const 5) (; "file/" ;)))
    (call $check (i32.const 9) (global.get $notdir)
      (call $path_remove_directory (i32.const 3) (i32.const 1044) (i32.const 4) (; "link" ;)))
    (call $check (i32.const 10) (global.get $noent)
      (call $path_remove_directory (i32.const 3) (i32.const 1024) (i32.const 3) (; "dir" ;)))
    (call $check_either (i32.const 11) (global.get $perm) (global.get $notcapable)
      (call $path_remove_directory (i32.const 3) (i32.const 1048) (i32.const 6) (; "../dir" ;)))
    (call $check_fails (i32.const 12)
      (call $path_remove_directory (i32.const 3) (i32.const 1054) (i32.const 1) (; "." ;)))
    (call $check (i32.const 13) (global.get $badf)
      (call $path_remove_directory (i32.const 99) (i32.const 1024) (i32.const 3) (; "dir" ;)))))
