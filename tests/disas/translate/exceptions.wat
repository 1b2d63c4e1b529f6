;; Handlers: what a call inside is told, where exceptions land, throws that are branches.
(module
  (tag $a (import "e" "a") (param i32))
  (tag $b (import "e" "b") (param i32))
  (tag $own (param i32 externref))
  (import "e" "f" (func $f))

  ;; Nothing throws: nothing is left of the handler.
  (func (param i32) (result i32)
    (block $caught (result i32)
      (try_table (result i32) (catch $a $caught) (local.get 0))))

  ;; A throw that no clause can catch leaves at once; one whose clause is sure to catch is a
  ;; branch, without an exception.
  (func (param i32) (result i32)
    (block $caught (result i32)
      (try_table (catch $b $caught) (throw $own (local.get 0) (ref.null extern)))
      (unreachable)))
  (func (param i32) (result i32)
    (block $caught (result i32)
      (try_table (catch $a $caught) (catch $b $caught) (throw $a (local.get 0)))
      (unreachable)))

  ;; A call lands; what no clause catches is thrown on.
  (func (result i32 externref exnref)
    (block $all (result exnref)
      (block $caught (result i32 externref exnref)
        (try_table (catch_ref $own $caught) (catch_all_ref $all) (call $f))
        (unreachable))
      (return))
    (throw_ref))

  ;; Two imported tags may be one: the running code decides, in the handler around, too.
  (func (param i32) (result i32)
    (block $outer (result i32)
      (try_table (catch $a $outer)
        (block $inner (result i32)
          (try_table (catch $b $inner) (throw $a (local.get 0)))
          (unreachable))
        (return))
      (unreachable))))
