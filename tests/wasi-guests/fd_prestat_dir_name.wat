;; The name of a granted directory, as far as it is asked for in whole.
;; dir: /some/where
;; exit: 0
(module
  (import "wasi_snapshot_preview1" "fd_prestat_dir_name"
    (func $fd_prestat_dir_name (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (global $badf i32 (i32.const 8))
  (global $inval i32 (i32.const 28))
  (global $nametoolong i32 (i32.const 37))
  (data (i32.const 1024) "/some/where\00")

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
      (call $fd_prestat_dir_name (i32.const 3) (i32.const 4096) (i32.const 11)))
    (call $check_bytes (i32.const 2) (i32.const 4096)
      (i32.const 1024) (i32.const 12)) ;; "/some/where\00"
    (call $check (i32.const 3) (i32.const 0)
      (call $fd_prestat_dir_name (i32.const 3) (i32.const 4096) (i32.const 100)))
    (call $check_either (i32.const 4) (global.get $nametoolong) (global.get $inval)
      (call $fd_prestat_dir_name (i32.const 3) (i32.const 4096) (i32.const 10)))
    (call $check (i32.const 5) (global.get $badf)
      (call $fd_prestat_dir_name (i32.const 0) (i32.const 4096) (i32.const 11)))
    (call $check (i32.const 6) (global.get $badf)
      (call $fd_prestat_dir_name (i32.const 9) (i32.const 4096) (i32.const 11)))))
