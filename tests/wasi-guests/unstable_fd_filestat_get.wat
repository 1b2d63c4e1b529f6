;; The predecessor has a shorter count of links, and all after it lies closer.
;; dir: /
;; file: file 0123456789
;; exit: 0
(module
  (import "wasi_unstable" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_unstable" "fd_filestat_get" (func $fd_filestat_get (param i32 i32) (result i32)))
  (import "wasi_unstable" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 1024) "file")

  ;; Ends with the number of the step when it did not give what it should.
  (func $check (param $step i32) (param $want i32) (param $got i32)
    (if (i32.ne (local.get $want) (local.get $got))
      (then (call $proc_exit (local.get $step)))))

  (func (export "_start")
    (call $check (i32.const 1) (i32.const 0)
      (call $path_open (i32.const 3) (i32.const 1) (i32.const 1024) (i32.const 4) (; "file" ;)
        (i32.const 0) (i64.const 0x3fffffff) (i64.const 0x3fffffff) (i32.const 0)
        (i32.const 0)))
    (i64.store (i32.const 120) (i64.const -1))
    (call $check (i32.const 2) (i32.const 0)
      (call $fd_filestat_get (i32.load (i32.const 0)) (i32.const 64)))
    (call $check (i32.const 3) (i32.const 4) (i32.load8_u (i32.const 80)))
    (call $check (i32.const 4) (i32.const 1) (i32.load (i32.const 84)))
    (call $check (i32.const 5) (i32.const 10) (i32.wrap_i64 (i64.load (i32.const 88))))

    ;; Nothing is written after its 56 bytes.
    (call $check (i32.const 6) (i32.const -1) (i32.load (i32.const 120)))))
