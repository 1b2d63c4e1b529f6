(module
  (type $f (func (param i32) (result i64)))
  (type $c (cont $f))
  (type $g (func (param anyref i32) (result i64)))
  (type $d (cont $g))
  (type $h (func (param f64) (result i64)))
  (type $e (cont $h))
  (rec
    (type $p (func (param i32 (ref null $q)) (result i64)))
    (type $q (cont $p)))
  (tag $ask (param i32 externref) (result f64))
  (tag $turn (result i64))

  (func (param (ref null $g)) (result (ref $d))
    local.get 0
    cont.new $d)

  (func (param anyref (ref null $d)) (result (ref $c))
    local.get 0
    local.get 1
    cont.bind $d $c)

  (func (param externref) (result f64)
    i32.const 7
    local.get 0
    suspend $ask)

  (func (param (ref null $c)) (result i64)
    block $asked (result i32 externref (ref $e))
      i32.const 5
      local.get 0
      resume $c (on $ask $asked) (on $turn switch)
      return
    end
    drop
    drop
    i64.extend_i32_s)

  (func (param (ref null $q)) (result i32)
    i32.const 3
    local.get 0
    switch $q $turn
    drop)

  (func (param (ref null $c)) (result i64)
    block $caught (result exnref)
      try_table (result i64) (catch_all_ref $caught)
        i32.const 9
        ref.null extern
        local.get 0
        resume_throw $c $e
      end
      return
    end
    local.get 0
    resume_throw_ref $c)

  (tag $e (param i32 externref)))

;; ---
;; function 0
;; func ((ref null 2)) -> ((ref 3))
;;   local x0: (ref null 2) = v0
;;   v1 = x0
;;   trap NullFunctionReference if null v1
;;   v2 = new object of 8 bytes
;;   v3 = id of type 3
;;   field v2 I32 at +0 = v3
;;   v4 = I32(0)
;;   field v2 I32 at +4 = v4
;;   v5 = entry cont_new (v1)
;;   v2 stands for continuation [v5]
;;   return (v2)
;; function 1
;; func (anyref, (ref null 3)) -> ((ref 1))
;;   local x0: anyref = v0
;;   local x1: (ref null 3) = v1
;;   v2 = x0
;;   v3 = x1
;;   v4 = field v3 I32 at +4 or fault
;;   trap ContinuationConsumed if null v4
;;   v5 = new object of 8 bytes
;;   v6 = id of type 1
;;   field v5 I32 at +0 = v6
;;   v7 = I32(0)
;;   field v5 I32 at +4 = v7
;;   v8 = I32(0)
;;   field v3 I32 at +4 = v8
;;   v9 = place for 1 values
;;   put v9 (v2)
;;   v10 = I32(1)
;;   v11 = I64(1)
;;   entry cont_bind (v4, v9, v10, v11)
;;   v5 stands for continuation [v4]
;;   return (v5)
;; function 2
;; func (externref) -> (f64)
;;   local x0: externref = v0
;;   v1 = I32(7)
;;   v2 = x0
;;   v3 = new object of 8 bytes
;;   v4 = place for 2 values
;;   put v4 (v1, v2)
;;   v5 = suspend tag 0 at ctx+64
;;   () = Suspend (v5, v3, v4)
;;   (v6) = take v4
;;   return (v6)
;; function 3
;; func ((ref null 1)) -> (i64)
;;   local x0: (ref null 1) = v0
;;   v1 = I32(5)
;;   v2 = x0
;;   v3 = field v2 I32 at +4 or fault
;;   trap ContinuationConsumed if null v3
;;   v4 = continuation [v3]
;;   v5 = arguments of v4
;;   put v5 (v1)
;;   v6 = suspend tag 0 at ctx+64
;;   v7 = switch tag 1 at ctx+72
;;   v8 = clauses (v6, v7)
;;   (v9) = Resume (v4, v8, v2)
;;   v10 = outcome of v8
;;   v11 = I32(1)
;;   v12 = I32Eq v10, v11
;;   unless v12 jump L2
;;   v13, v14 = given by v8
;;   v15 = id of type 5
;;   field v13 I32 at +0 = v15
;;   (v16, v17) = take v14
;;   jump L1 (v16, v17, v13)
;; L2():
;;   return (v9)
;; L1(v18, v19, v20):
;;   v21 = I64ExtendI32S v18
;;   return (v21)
;; function 4
;; func ((ref null 7)) -> (i32)
;;   local x0: (ref null 7) = v0
;;   v1 = I32(3)
;;   v2 = x0
;;   v3 = field v2 I32 at +4 or fault
;;   trap ContinuationConsumed if null v3
;;   v4 = new object of 8 bytes
;;   v5 = id of type 7
;;   field v4 I32 at +0 = v5
;;   v6 = I32(0)
;;   field v4 I32 at +4 = v6
;;   v7 = continuation [v3]
;;   v8 = arguments of v7
;;   put v8 (v1, v4)
;;   v9 = place for 2 values
;;   v10 = switch tag 1 at ctx+72
;;   () = Switch (v10, v4, v9, v7, v2)
;;   (v11, v12) = take v9
;;   return (v11)
;; function 5
;; func ((ref null 1)) -> (i64)
;;   local x0: (ref null 1) = v0
;;   v1 = I32(9)
;;   v2 = Null
;;   v3 = x0
;;   v4 = field v3 I32 at +4 or fault
;;   trap ContinuationConsumed if null v4
;;   v5 = new object of 16 bytes
;;   v6 = id of type 16
;;   field v5 I32 at +0 = v6
;;   v7 = tag 2 at ctx+80
;;   field v5 I32 at +4 = v7
;;   field v5 I32 at +8 = v1
;;   field v5 Ref at +12 = v2
;;   v8 = continuation [v4]
;;   v9 = clauses ()
;;   (v10) = ResumeThrow (v8, v9, v3, v5) throws to L3
;;   jump L2 (v10)
;; L3(v11):
;;   jump L1 (v11)
;; L2(v12):
;;   return (v12)
;; L1(v13):
;;   v14 = x0
;;   v15 = field v14 I32 at +4 or fault
;;   trap ContinuationConsumed if null v15
;;   trap NullExceptionReference if null v13
;;   v16 = continuation [v15]
;;   v17 = clauses ()
;;   (v18) = ResumeThrow (v16, v17, v14, v13)
;;   return (v18)
