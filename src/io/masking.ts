/**
 * Masking (RFC 6455 5.3): octet i of the payload is XORed with octet i modulo 4 of the masking key.
 *
 * We only ever unmask, and always while copying: the bytes leave the socket's chunk and arrive clear in memory of
 * ours, in one pass. The pass also answers, for free, whether all bytes were ASCII.
 */

/** A masking key as one 32-bit number, first octet lowest. */
export type MaskingKey = number;

/** The key as it applies from payload octet `phase` on. */
export function rotateKey(key: MaskingKey, phase: number): MaskingKey {
  const bits = (phase & 3) << 3;
  return bits === 0 ? key : (key >>> bits) | (key << (32 - bits));
}

/**
 * Copies `source[start..end)` unmasked to `target` at `at`; `key` applies to the first octet copied.
 * Returns all octets OR-ed together: below 0x80 exactly when every one was ASCII.
 */
export function unmaskInto(
  source: Uint8Array,
  start: number,
  end: number,
  key: MaskingKey,
  target: Uint8Array,
  at: number,
): number {
  const k0 = key & 0xff;
  const k1 = (key >>> 8) & 0xff;
  const k2 = (key >>> 16) & 0xff;
  const k3 = key >>> 24;
  let seen = 0;
  let from = start;
  let to = at;
  for (const last = end - 3; from < last; from += 4, to += 4) {
    const b0 = (source[from] as number) ^ k0;
    const b1 = (source[from + 1] as number) ^ k1;
    const b2 = (source[from + 2] as number) ^ k2;
    const b3 = (source[from + 3] as number) ^ k3;
    target[to] = b0;
    target[to + 1] = b1;
    target[to + 2] = b2;
    target[to + 3] = b3;
    seen |= b0 | b1 | b2 | b3;
  }
  if (from < end) seen |= target[to++] = (source[from++] as number) ^ k0;
  if (from < end) seen |= target[to++] = (source[from++] as number) ^ k1;
  if (from < end) seen |= target[to] = (source[from] as number) ^ k2;
  return seen;
}
