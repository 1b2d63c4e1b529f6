(module
  (func (param i32) (result i32)
    (block $a (block $b (block $c
      local.get 0
      br_table $c $b $a $b)
      i32.const 1
      return)
      i32.const 2
      return)
    i32.const 3))

;; ---
;; function 0
;; func (i32) -> (i32)
;;   local x0: i32 = v0
;;   v1 = x0
;;   switch v1 [L3 L2 L1] else L2 ()
;; L3():
;;   v2 = I32(1)
;;   return (v2)
;; L2():
;;   v3 = I32(2)
;;   return (v3)
;; L1():
;;   v4 = I32(3)
;;   return (v4)
