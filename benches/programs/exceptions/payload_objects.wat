;; One tag whose payload is an object of a class of errors, as languages with objects throw: the
;; handler asks for the class and throws on what is not for it. A new object for each throw.
;; rounds: 250
(module
  (type $text (array i16))
  (type $error (sub (struct (field $message (ref null $text)) (field $cause (ref null $error)))))
  (type $input_error (sub $error (struct
    (field $message (ref null $text)) (field $cause (ref null $error)) (field $at i32))))
  (type $end_of_input (sub final $input_error (struct
    (field $message (ref null $text)) (field $cause (ref null $error)) (field $at i32)
    (field $wanted i32))))
  (type $state_error (sub final $error (struct
    (field $message (ref null $text)) (field $cause (ref null $error)) (field $state i64))))
  (tag $thrown (param (ref $error)))
  (data $message "e\00n\00d\00")

  (func $fail (param $i i32) (result i32)
    (if (i32.and (local.get $i) (i32.const 3))
      (then
        (throw $thrown
          (struct.new $end_of_input
            (array.new_data $text $message (i32.const 0) (i32.const 3)) (ref.null none)
            (local.get $i) (i32.const 4)))))
    (throw $thrown
      (struct.new $state_error (ref.null none) (ref.null none)
        (i64.extend_i32_u (local.get $i)))))

  ;; Catches input errors alone.
  (func $inner (param $i i32) (result i32)
    (local $error (ref $error))
    (block $caught (result (ref $error) exnref)
      (try_table (catch_ref $thrown $caught)
        (return (call $fail (local.get $i))))
      (unreachable))
    (block $other (param (ref $error) exnref) (result exnref)
      (block $is_input (param (ref $error) exnref) (result exnref (ref $input_error))
        (local.set $error (call $swapped))
        (br_on_cast $is_input (ref $error) (ref $input_error) (local.get $error))
        (drop)
        (br $other))
      (return (struct.get $input_error $at)))
    (throw_ref))
  (func $swapped (param $error (ref $error)) (param $exception exnref)
    (result exnref (ref $error))
    (local.get $exception)
    (local.get $error))

  ;; Catches the rest.
  (func $outer (param $i i32) (result i32)
    (block $caught (result (ref $error))
      (try_table (catch $thrown $caught)
        (return (call $inner (local.get $i))))
      (unreachable))
    (i32.wrap_i64 (struct.get $state_error $state (ref.cast (ref $state_error)))))

  (func $pass (param $count i32) (result i32)
    (local $i i32) (local $sum i32)
    (loop $next
      (local.set $sum
        (i32.add (i32.mul (local.get $sum) (i32.const 31)) (call $outer (local.get $i))))
      (br_if $next
        (i32.lt_u
          (local.tee $i (i32.add (local.get $i) (i32.const 1)))
          (local.get $count))))
    (local.get $sum))

  (func (export "run") (param $rounds i32) (result i32)
    (local $sum i32)
    (loop $round
      (local.set $sum
        (i32.add (i32.mul (local.get $sum) (i32.const 31)) (call $pass (i32.const 10000))))
      (br_if $round (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (local.get $sum)))
