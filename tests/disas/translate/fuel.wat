;; tuning: consume-fuel=on
;; What straight-line code costs is told at once, where control leaves it or paths join; bodies that
;; are put in place of calls add to what their callers tell.
(module
  (import "host" "f" (func $host))
  (memory 1)
  (table 1 funcref)
  (func $small (param i32) (result i32)
    local.get 0
    i32.const 1
    i32.add)
  (func $early (param i32) (result i32)
    local.get 0
    if
      i32.const 3
      return
    end
    i32.const 5)
  (func (param i32) (result i32)
    local.get 0
    call $small
    call $small
    call $early
    call $host
    nop)
  (func (param i32) (result i32)
    (block
      (loop $again
        local.get 0
        i32.eqz
        br_if 1
        local.get 0
        i32.const 1
        i32.sub
        local.set 0
        br $again))
    local.get 0)
  (func (param i32)
    (memory.fill (i32.const 0) (i32.const 1) (i32.const 100))
    (memory.copy (i32.const 0) (i32.const 200) (local.get 0))
    (drop (table.grow (ref.null func) (local.get 0)))))

;; ---
;; function 0
;; func (i32) -> (i32)
;;   local x0: i32 = v0
;;   trap if there is no fuel
;;   v1 = x0
;;   v2 = I32(1)
;;   v3 = I32Add v1, v2
;;   fuel 3
;;   return (v3)
;; function 1
;; func (i32) -> (i32)
;;   local x0: i32 = v0
;;   trap if there is no fuel
;;   v1 = x0
;;   fuel 2
;;   unless v1 jump L2
;;   v2 = I32(3)
;;   fuel 2
;;   return (v2)
;; L2():
;;   jump L1 ()
;; L1():
;;   v3 = I32(5)
;;   fuel 1
;;   return (v3)
;; function 2
;; func (i32) -> (i32)
;;   local x0: i32 = v0
;;   trap if there is no fuel
;;   v1 = x0
;;   local x1: i32 = v1
;;   v2 = x1
;;   v3 = I32(1)
;;   v4 = I32Add v2, v3
;;   local x2: i32 = v4
;;   v5 = x2
;;   v6 = I32(1)
;;   v7 = I32Add v5, v6
;;   local x3: i32 = v7
;;   v8 = x3
;;   fuel 12
;;   unless v8 jump L5
;;   v9 = I32(3)
;;   fuel 2
;;   jump L3 (v9)
;; L5():
;;   jump L4 ()
;; L4():
;;   v10 = I32(5)
;;   fuel 1
;;   jump L3 (v10)
;; L3(v11):
;;   fuel 1
;;   () = call import ctx+64 ()
;;   return (v11)
;; function 3
;; func (i32) -> (i32)
;;   local x0: i32 = v0
;;   trap if there is no fuel
;;   enter L2 ()
;; L2():
;;   trap if there is no fuel
;;   v1 = x0
;;   v2 = I32Eqz v1
;;   fuel 3
;;   if v2 jump L1 ()
;;   v3 = x0
;;   v4 = I32(1)
;;   v5 = I32Sub v3, v4
;;   x0 = v5
;;   fuel 5
;;   jump L2 ()
;;   end of L2
;; L1():
;;   v6 = x0
;;   fuel 1
;;   return (v6)
;; function 4
;; func (i32) -> ()
;;   local x0: i32 = v0
;;   trap if there is no fuel
;;   v1 = I32(0)
;;   v2 = I32(1)
;;   v3 = I32(100)
;;   fill 100 at v1 memory 0 at ctx+136 +0 guard with v2
;;   v4 = I32(0)
;;   v5 = I32(200)
;;   v6 = x0
;;   v7 = widen v4
;;   v8 = widen v5
;;   v9 = widen v6
;;   fuel 10
;;   fuel for v9 Bytes, trap if there is none
;;   v10 = memory 0 at ctx+136
;;   v11 = memory 0 at ctx+136
;;   entry memory_copy (v10, v7, v11, v8, v9)
;;   v12 = Null
;;   v13 = x0
;;   fuel 3
;;   v14 = widen v13
;;   v15 = I32(0)
;;   v16 = entry table_grow (v15, v14, v12)
;;   v17 = I64(-1)
;;   v18 = I64Eq v16, v17
;;   v19 = I64(0)
;;   v20 = select v18 ? v19 : v14
;;   fuel for v20 Elements, trap if there is none
;;   v21 = narrow v16
;;   return ()
