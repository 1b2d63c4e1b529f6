;; A program of the predecessor writes and ends.
;; stdout: hello\n
;; args: x
;; exit: 3
(module
  (import "wasi_unstable" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_unstable" "args_sizes_get" (func $args_sizes_get (param i32 i32) (result i32)))
  (import "wasi_unstable" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 1024) "hello\0a")

  ;; Ends with the number of the step when it did not give what it should.
  (func $check (param $step i32) (param $want i32) (param $got i32)
    (if (i32.ne (local.get $want) (local.get $got))
      (then (call $proc_exit (local.get $step)))))

  (func (export "_start")
    (i32.store (i32.const 16) (i32.const 1024)) (i32.store (i32.const 20) (i32.const 6)) ;; "hello\n"
    (call $check (i32.const 1) (i32.const 0)
      (call $fd_write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 8)))
    (call $check (i32.const 2) (i32.const 0) (call $args_sizes_get (i32.const 0) (i32.const 4)))
    (call $check (i32.const 3) (i32.const 2) (i32.load (i32.const 0)))
    (call $proc_exit (i32.const 3))))
