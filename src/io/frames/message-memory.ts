/**
 * The memory that binary messages own: one copy from the socket's chunk, unmasked on the way, and theirs alone.
 *
 * Small messages share slabs, as Node's own small Buffers do: one that is kept keeps up to 32 KiB. Larger ones get a block each.
 */
import { Buffer } from 'node:buffer';
import { markAsUntransferable } from 'node:worker_threads';
import { Block, type MaskingKey, unmaskInto } from './masking.ts';

/** Messages up to this size share slabs. */
const POOLED_BYTES = 4096;
const SLAB_BYTES = 32 * 1024;
/** More than glibc's highest threshold for returning memory; never touched, so it costs no page. */
const HINT_BYTES = 31 * 1024 * 1024;

let slab = newSlab();
let slabBlock = new Block(new Uint8Array(slab));
let used = 0;

hintAllocator();

/** Copies `source[start..end)` unmasked into memory that the caller may keep. */
export function copyUnmasked(source: Block, start: number, end: number, key: MaskingKey): Uint8Array {
  const bytes = end - start;
  if (bytes > POOLED_BYTES) {
    const own = new Block(new Uint8Array(Buffer.allocUnsafeSlow(bytes).buffer));
    unmaskInto(source, start, end, key, own, 0);
    return own.bytes;
  }
  if (bytes === 0) return new Uint8Array(0);
  if (used + bytes > SLAB_BYTES) {
    slab = newSlab();
    slabBlock = new Block(new Uint8Array(slab));
    used = 0;
  }
  unmaskInto(source, start, end, key, slabBlock, used);
  const message = new Uint8Array(slab, used, bytes);
  used = (used + bytes + 7) & ~7;
  return message;
}

/** A slab holds messages of several connections: a worker that is given one must not take the others away. */
function newSlab(): ArrayBuffer {
  const memory = new ArrayBuffer(SLAB_BYTES);
  markAsUntransferable(memory);
  return memory;
}

/**
 * glibc gives freed blocks back to the system at once, and each new one costs page faults again: ten times the copy
 * itself. Once a block of this size has come and gone, it keeps some megabytes (mallopt(3), dynamic thresholds).
 */
function hintAllocator(): void {
  new ArrayBuffer(HINT_BYTES);
}
