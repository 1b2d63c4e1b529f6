// The 128-bit operations the SIMD kernels use: WebAssembly's own intrinsics there, and
// the same meaning through the compiler's vector types natively.
#ifndef SIMD_H
#define SIMD_H

#include <stdint.h>
#include <string.h>

#ifdef __wasm_simd128__
#include <wasm_simd128.h>
typedef v128_t vec;
#define load(p) wasm_v128_load(p)
#define store(p, v) wasm_v128_store(p, v)
#define bit_and(a, b) wasm_v128_and(a, b)
#define bit_or(a, b) wasm_v128_or(a, b)
#define bit_xor(a, b) wasm_v128_xor(a, b)
#define any_true(a) wasm_v128_any_true(a)
#define f32_all(x) wasm_f32x4_splat(x)
#define f32_add(a, b) wasm_f32x4_add(a, b)
#define f32_sub(a, b) wasm_f32x4_sub(a, b)
#define f32_mul(a, b) wasm_f32x4_mul(a, b)
#define f32_le(a, b) wasm_f32x4_le(a, b)
#define i32_all(x) wasm_i32x4_splat(x)
#define i32_add(a, b) wasm_i32x4_add(a, b)
#define i32_sub(a, b) wasm_i32x4_sub(a, b)
#define i32_shl(a, n) wasm_i32x4_shl(a, n)
#define i32_shr(a, n) wasm_u32x4_shr(a, n)
#define i16_all(x) wasm_i16x8_splat(x)
#define i16_add(a, b) wasm_i16x8_add(a, b)
#define i16_mul(a, b) wasm_i16x8_mul(a, b)
#define i16_shr(a, n) wasm_u16x8_shr(a, n)
#define i8_all(x) wasm_i8x16_splat(x)
#define i8_add(a, b) wasm_i8x16_add(a, b)
#define i8_sub(a, b) wasm_i8x16_sub(a, b)
#define i8_eq(a, b) wasm_i8x16_eq(a, b)
#define u8_gt(a, b) wasm_u8x16_gt(a, b)
#define u8_widen_low(a) wasm_u16x8_extend_low_u8x16(a)
#define u8_widen_high(a) wasm_u16x8_extend_high_u8x16(a)
#define u8_narrow(a, b) wasm_u8x16_narrow_i16x8(a, b)
#else
typedef uint32_t vec __attribute__((vector_size(16)));
typedef float f32x4 __attribute__((vector_size(16)));
typedef uint16_t u16x8 __attribute__((vector_size(16)));
typedef int16_t i16x8 __attribute__((vector_size(16)));
typedef uint8_t u8x16 __attribute__((vector_size(16)));
typedef uint8_t u8x8 __attribute__((vector_size(8)));
static inline vec load(const void *p) {
    vec v;
    memcpy(&v, p, 16);
    return v;
}
static inline void store(void *p, vec v) { memcpy(p, &v, 16); }
#define bit_and(a, b) ((a) & (b))
#define bit_or(a, b) ((a) | (b))
#define bit_xor(a, b) ((a) ^ (b))
static inline int any_true(vec a) { return (a[0] | a[1] | a[2] | a[3]) != 0; }
static inline vec f32_all(float x) { return (vec)(f32x4){x, x, x, x}; }
#define f32_add(a, b) ((vec)((f32x4)(a) + (f32x4)(b)))
#define f32_sub(a, b) ((vec)((f32x4)(a) - (f32x4)(b)))
#define f32_mul(a, b) ((vec)((f32x4)(a) * (f32x4)(b)))
#define f32_le(a, b) ((vec)((f32x4)(a) <= (f32x4)(b)))
static inline vec i32_all(uint32_t x) { return (vec){x, x, x, x}; }
#define i32_add(a, b) ((a) + (b))
#define i32_sub(a, b) ((a) - (b))
#define i32_shl(a, n) ((a) << (n))
#define i32_shr(a, n) ((a) >> (n))
static inline vec i16_all(uint16_t x) { return (vec)(u16x8){x, x, x, x, x, x, x, x}; }
#define i16_add(a, b) ((vec)((u16x8)(a) + (u16x8)(b)))
#define i16_mul(a, b) ((vec)((u16x8)(a) * (u16x8)(b)))
#define i16_shr(a, n) ((vec)((u16x8)(a) >> (n)))
static inline vec i8_all(uint8_t x) {
    return (vec)(u8x16){x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x};
}
#define i8_add(a, b) ((vec)((u8x16)(a) + (u8x16)(b)))
#define i8_sub(a, b) ((vec)((u8x16)(a) - (u8x16)(b)))
#define i8_eq(a, b) ((vec)((u8x16)(a) == (u8x16)(b)))
#define u8_gt(a, b) ((vec)((u8x16)(a) > (u8x16)(b)))
#define HALF(a, from)                                                                     \
    __builtin_shufflevector((u8x16)(a), (u8x16)(a), from, from + 1, from + 2, from + 3,   \
                            from + 4, from + 5, from + 6, from + 7)
static inline vec u8_widen_low(vec a) {
    return (vec)__builtin_convertvector(HALF(a, 0), u16x8);
}
static inline vec u8_widen_high(vec a) {
    return (vec)__builtin_convertvector(HALF(a, 8), u16x8);
}
static inline vec u8_narrow(vec a, vec b) {
    i16x8 zero = {0}, top = {255, 255, 255, 255, 255, 255, 255, 255};
    i16x8 x = (i16x8)a, y = (i16x8)b;
    x = __builtin_elementwise_min(__builtin_elementwise_max(x, zero), top);
    y = __builtin_elementwise_min(__builtin_elementwise_max(y, zero), top);
    u8x8 low = __builtin_convertvector(x, u8x8), high = __builtin_convertvector(y, u8x8);
    return (vec)__builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,
                                        14, 15);
}
#endif

#endif
