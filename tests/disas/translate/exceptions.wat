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

;; ---
;; function 0
;; func (i32) -> (i32)
;;   local x0: i32 = v0
;;   v1 = x0
;;   return (v1)
;; function 1
;; func (i32) -> (i32)
;;   local x0: i32 = v0
;;   v1 = x0
;;   v2 = Null
;;   v3 = new object of 16 bytes
;;   v4 = id of type 1
;;   field v3 I32 at +0 = v4
;;   v5 = tag 2 at ctx+128
;;   field v3 I32 at +4 = v5
;;   field v3 I32 at +8 = v1
;;   field v3 Ref at +12 = v2
;;   entry throw (v3)
;;   trap Unreachable
;; function 2
;; func (i32) -> (i32)
;;   local x0: i32 = v0
;;   v1 = x0
;;   jump L1 (v1)
;; L1(v2):
;;   return (v2)
;; function 3
;; func () -> (i32, externref, exnref)
;;   () = call import ctx+64 () throws to L4
;;   jump L3 ()
;; L4(v0):
;;   v1 = field v0 I32 at +4
;;   v2 = tag 2 at ctx+128
;;   v3 = I32Eq v1, v2
;;   unless v3 jump L5
;;   v4 = field v0 I32 at +8
;;   v5 = field v0 Ref at +12
;;   jump L2 (v4, v5, v0)
;; L5():
;;   jump L1 (v0)
;; L3():
;;   trap Unreachable
;; L2(v6, v7, v8):
;;   return (v6, v7, v8)
;; L1(v9):
;;   trap NullExceptionReference if null v9
;;   entry throw (v9)
;;   trap Unreachable
;; function 4
;; func (i32) -> (i32)
;;   local x0: i32 = v0
;;   v1 = x0
;;   v2 = new object of 16 bytes
;;   v3 = id of type 0
;;   field v2 I32 at +0 = v3
;;   v4 = tag 0 at [ctx+112]
;;   field v2 I32 at +4 = v4
;;   field v2 I32 at +8 = v1
;;   jump L5 (v2)
;; L5(v5):
;;   v6 = field v5 I32 at +4
;;   v7 = tag 1 at [ctx+120]
;;   v8 = I32Eq v6, v7
;;   unless v8 jump L6
;;   v9 = field v5 I32 at +8
;;   jump L3 (v9)
;; L6():
;;   jump L7 (v5)
;; L3(v10):
;;   return (v10)
;; L7(v11):
;;   v12 = field v11 I32 at +4
;;   v13 = tag 0 at [ctx+112]
;;   v14 = I32Eq v12, v13
;;   unless v14 jump L8
;;   v15 = field v11 I32 at +8
;;   jump L1 (v15)
;; L8():
;;   entry throw (v11)
;;   trap Unreachable
;; L1(v16):
;;   return (v16)
