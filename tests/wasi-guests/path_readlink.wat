;; The content of a link, cut off where the buffer ends.
;; dir: /
;; file: file data
;; symlink: link some/target
;; exit: 0
(module
  (import "wasi_snapshot_preview1" "path_readlink"
    (func $path_readlink (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (global $badf i32 (i32.const 8))
  (global $inval i32 (i32.const 28))
  (global $noent i32 (i32.const 44))
  (global $perm i32 (i32.const 63))
  (global $notcapable i32 (i32.const 76))
  (data (i32.const 1024) "link")
  (data (i32.const 1028) "some/target\00")
  (data (i32.const 1040) "some\00")
  (data (i32.const 1045) "file")
  (data (i32.const 1049) ".")
  (data (i32.const 1050) "missing")
  (data (i32.const 1057) "../link")

  ;; Ends with the number of the step when it did not give what it should.
  (func $check (param $step i32) (param $want i32) (param $got i32)
    (if (i32.ne (local.get $want) (local.get $got))
      (then (call $proc_exit (local.get $step)))))

  ;; The specification leaves the choice between two.
  (func $check_either (param $step i32) (param $one i32) (param $other i32) (param $got i32)
    (if (i32.and (i32.ne (local.get $one) (local.get $got))
                 (i32.ne (local.get $other) (local.get $got)))
      (then (call $proc_exit (local.get $step)))))

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
      (call $path_readlink (i32.const 3) (i32.const 1024) (i32.const 4) (; "link" ;)
        (i32.const 4096) (i32.const 100) (i32.const 8)))
    (call $check (i32.const 2) (i32.const 11) (i32.load (i32.const 8)))
    (call $check_bytes (i32.const 3) (i32.const 4096)
      (i32.const 1028) (i32.const 12)) ;; "some/target\00"
    (call $check (i32.const 4) (i32.const 0)
      (call $path_readlink (i32.const 3) (i32.const 1024) (i32.const 4) (; "link" ;)
        (i32.const 5000) (i32.const 4) (i32.const 8)))
    (call $check (i32.const 5) (i32.const 4) (i32.load (i32.const 8)))
    (call $check_bytes (i32.const 6) (i32.const 5000)
      (i32.const 1040) (i32.const 5)) ;; "some\00"
    (call $check (i32.const 7) (i32.const 0)
      (call $path_readlink (i32.const 3) (i32.const 1024) (i32.const 4) (; "link" ;)
        (i32.const 5000) (i32.const 0) (i32.const 8)))
    (call $check (i32.const 8) (i32.const 0) (i32.load (i32.const 8)))
    (call $check (i32.const 9) (global.get $inval)
      (call $path_readlink (i32.const 3) (i32.const 1045) (i32.const 4) (; "file" ;)
        (i32.const 4096) (i32.const 100) (i32.const 8)))
    (call $check (i32.const 10) (global.get $inval)
      (call $path_readlink (i32.const 3) (i32.const 1049) (i32.const 1) (; "." ;)
        (i32.const 4096) (i32.const 100) (i32.const 8)))
    (call $check (i32.const 11) (global.get $noent)
      (call $path_readlink (i32.const 3) (i32.const 1050) (i32.const 7) (; "missing" ;)
        (i32.const 4096) (i32.const 100) (i32.const 8)))
    (call $check_either (i32.const 12) (global.get $perm) (global.get $notcapable)
      (call $path_readlink (i32.const 3) (i32.const 1057) (i32.const 7) (; "../link" ;)
        (i32.const 4096) (i32.const 100) (i32.const 8)))
    (call $check (i32.const 13) (global.get $badf)
      (call $path_readlink (i32.const 99) (i32.const 1024) (i32.const 4) (; "link" ;)
        (i32.const 4096) (i32.const 100) (i32.const 8)))))
