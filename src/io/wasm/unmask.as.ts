// Unmasking (RFC 6455 5.3) in WebAssembly SIMD, 16 octets an instruction. AssemblyScript: TypeScript that `asc`
// compiles; `npm run build:wasm` puts the result into binary.ts beside this file.

/**
 * XORs `bytes` octets of memory from `from` on with the masking key (first octet lowest), in place.
 * Returns all octets OR-ed together, at least in their highest bit: below 0x80 exactly when every one was ASCII.
 */
export function unmask(from: usize, bytes: usize, key: u32): u32 {
  const keys = i32x4.splat(key);
  const end = from + bytes;
  const last = end - (bytes & 63);
  let at = from;
  let seen = i32x4.splat(0);
  for (; at < last; at += 64) {
    const a = v128.xor(v128.load(at), keys);
    const b = v128.xor(v128.load(at, 16), keys);
    const c = v128.xor(v128.load(at, 32), keys);
    const d = v128.xor(v128.load(at, 48), keys);
    v128.store(at, a);
    v128.store(at, b, 16);
    v128.store(at, c, 32);
    v128.store(at, d, 48);
    seen = v128.or(seen, v128.or(v128.or(a, b), v128.or(c, d)));
  }
  for (; at + 16 <= end; at += 16) {
    const a = v128.xor(v128.load(at), keys);
    v128.store(at, a);
    seen = v128.or(seen, a);
  }
  let rest: u32 = 0;
  for (let phase: u32 = 0; at < end; at++, phase += 8) {
    const octet = load<u8>(at) ^ <u8>(key >>> (phase & 31));
    store<u8>(at, octet);
    rest |= octet;
  }
  return rest | (i8x16.bitmask(seen) !== 0 ? 0x80 : 0);
}
