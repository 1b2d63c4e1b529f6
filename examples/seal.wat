;; A seal looks out of the sea and greets whoever is named on the command line:
;;
;;     selkie examples/seal.wat Ada
;;
;; The picture is drawn into memory, character by character, and written at once. The program
;; uses what every guest has, its arguments and standard output, and needs no grant.
(module
  (import "wasi_snapshot_preview1" "args_sizes_get"
    (func $args_sizes_get (param $count i32) (param $bytes i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get"
    (func $args_get (param $pointers i32) (param $strings i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param $fd i32) (param $buffers i32) (param $count i32) (param $written i32)
      (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param $code i32)))

  ;; 0      what WASI functions are told and tell
  ;; 64     the texts
  ;; 1024   the picture: 12 rows of 64 characters and a line end
  ;; 65536  the arguments, on pages of their own
  (memory (export "memory") 1)
  (global $columns i32 (i32.const 64))
  (global $rows i32 (i32.const 12))
  (global $picture i32 (i32.const 1024))

  (data (i32.const 64) "Hello, ")
  (data (i32.const 80) "world")
  (data (i32.const 96) "~~-~ ~~_~~ -~~~ ")
  (data (i32.const 112) ".*'+")
  (data (i32.const 128) "   ___     ")
  (data (i32.const 144) " .'   `.   ")
  (data (i32.const 160) "/  o o  \\  ")
  (data (i32.const 176) "| =.Y.= |-.")
  (data (i32.const 192) "|  `-'  |  ")

  ;; Where a character of the picture lies.
  (func $place (param $row i32) (param $column i32) (result i32)
    global.get $picture
    local.get $row
    global.get $columns
    i32.const 1
    i32.add
    i32.mul
    i32.add
    local.get $column
    i32.add)

  ;; Draws a text; blanks let through what is behind it, bytes that are no plain characters
  ;; become question marks, and what would leave the row is cut off.
  (func $draw (param $row i32) (param $column i32) (param $text i32) (param $len i32)
    (local $char i32)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $len)))
        (br_if $done (i32.ge_u (local.get $column) (global.get $columns)))
        (local.set $char (i32.load8_u (local.get $text)))
        (if (i32.ne (local.get $char) (i32.const 32))
          (then
            (i32.store8
              (call $place (local.get $row) (local.get $column))
              (select
                (local.get $char)
                (i32.const 63)
                (i32.lt_u (i32.sub (local.get $char) (i32.const 32)) (i32.const 95))))))
        (local.set $text (i32.add (local.get $text) (i32.const 1)))
        (local.set $column (i32.add (local.get $column) (i32.const 1)))
        (local.set $len (i32.sub (local.get $len) (i32.const 1)))
        (br $next))))

  (func $sky
    (local $row i32) (local $star i32) (local $state i32)
    (memory.fill
      (global.get $picture)
      (i32.const 32)
      (i32.mul (global.get $rows) (i32.add (global.get $columns) (i32.const 1))))
    (loop $next_row
      (i32.store8 (call $place (local.get $row) (global.get $columns)) (i32.const 10))
      (br_if $next_row
        (i32.lt_u
          (local.tee $row (i32.add (local.get $row) (i32.const 1)))
          (global.get $rows))))
    ;; Stars stand where a linear congruential generator puts them.
    (local.set $state (i32.const 2026))
    (loop $next_star
      (local.set $state
        (i32.add (i32.mul (local.get $state) (i32.const 1664525)) (i32.const 1013904223)))
      (call $draw
        (i32.rem_u (i32.shr_u (local.get $state) (i32.const 8)) (i32.const 5))
        (i32.shr_u (local.get $state) (i32.const 26))
        (i32.add
          (i32.const 112)
          (i32.and (i32.shr_u (local.get $state) (i32.const 16)) (i32.const 3)))
        (i32.const 1))
      (br_if $next_star
        (i32.lt_u
          (local.tee $star (i32.add (local.get $star) (i32.const 1)))
          (i32.const 24)))))

  (func $sea
    (local $row i32) (local $column i32)
    (local.set $row (i32.const 8))
    (loop $next_row
      (local.set $column (i32.const 0))
      (loop $next_column
        (call $draw
          (local.get $row)
          (local.get $column)
          (i32.add
            (i32.const 96)
            (i32.and
              (i32.add
                (i32.mul (local.get $row) (i32.const 7))
                (i32.add
                  (local.get $column)
                  (i32.shr_u (local.get $column) (i32.and (local.get $row) (i32.const 3)))))
              (i32.const 15)))
          (i32.const 1))
        (br_if $next_column
          (i32.lt_u
            (local.tee $column (i32.add (local.get $column) (i32.const 1)))
            (global.get $columns))))
      (br_if $next_row
        (i32.lt_u
          (local.tee $row (i32.add (local.get $row) (i32.const 1)))
          (global.get $rows)))))

  (func $seal
    (local $line i32)
    (loop $next_line
      (call $draw
        (i32.add (i32.const 4) (local.get $line))
        (i32.const 12)
        (i32.add (i32.const 128) (i32.shl (local.get $line) (i32.const 4)))
        (i32.const 11))
      (br_if $next_line
        (i32.lt_u
          (local.tee $line (i32.add (local.get $line) (i32.const 1)))
          (i32.const 5)))))

  (func $length (param $text i32) (result i32)
    (local $end i32)
    (local.set $end (local.get $text))
    (loop $next
      (if (i32.load8_u (local.get $end))
        (then
          (local.set $end (i32.add (local.get $end) (i32.const 1)))
          (br $next))))
    (i32.sub (local.get $end) (local.get $text)))

  ;; The first argument, or "world".
  (func $name (result i32)
    (local $pointers i32) (local $strings i32) (local $bytes i32)
    (if (call $args_sizes_get (i32.const 0) (i32.const 4)) (then (return (i32.const 80))))
    (if (i32.lt_u (i32.load (i32.const 0)) (i32.const 2)) (then (return (i32.const 80))))
    (local.set $pointers (i32.const 65536))
    (local.set $strings
      (i32.add (local.get $pointers) (i32.shl (i32.load (i32.const 0)) (i32.const 2))))
    (local.set $bytes
      (i32.sub
        (i32.add (local.get $strings) (i32.load (i32.const 4)))
        (local.get $pointers)))
    (if (i32.eq
          (memory.grow (i32.add (i32.shr_u (local.get $bytes) (i32.const 16)) (i32.const 1)))
          (i32.const -1))
      (then (return (i32.const 80))))
    (if (call $args_get (local.get $pointers) (local.get $strings))
      (then (return (i32.const 80))))
    (i32.load offset=4 (local.get $pointers)))

  (func $greet (param $name i32)
    (local $len i32)
    (local.set $len (call $length (local.get $name)))
    (if (i32.gt_u (local.get $len) (i32.const 24)) (then (local.set $len (i32.const 24))))
    (call $draw (i32.const 6) (i32.const 28) (i32.const 64) (i32.const 7))
    (call $draw (i32.const 6) (i32.const 35) (local.get $name) (local.get $len))
    (i32.store8
      (call $place (i32.const 6) (i32.add (i32.const 35) (local.get $len)))
      (i32.const 33)))

  ;; Writes the picture; the host may take it in parts.
  (func $show
    (local $at i32) (local $left i32)
    (local.set $at (global.get $picture))
    (local.set $left
      (i32.mul (global.get $rows) (i32.add (global.get $columns) (i32.const 1))))
    (loop $next
      (i32.store (i32.const 0) (local.get $at))
      (i32.store (i32.const 4) (local.get $left))
      (if (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))
        (then (call $proc_exit (i32.const 1))))
      (local.set $at (i32.add (local.get $at) (i32.load (i32.const 8))))
      (br_if $next
        (local.tee $left (i32.sub (local.get $left) (i32.load (i32.const 8)))))))

  (func (export "_start")
    call $sky
    call $sea
    call $seal
    (call $greet (call $name))
    call $show))
