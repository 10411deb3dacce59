/**
 * The memory of binary messages: each is copied once, from the socket's chunk, and unmasked by the same copy.
 *
 * Small messages share slabs, as small Buffers of Node do, so a user who keeps one may keep a slab of 16 KiB. A larger
 * message gets a block of its own.
 */
import { Buffer } from 'node:buffer';
import { markAsUntransferable } from 'node:worker_threads';
import { Block, type MaskingKey, unmaskInto } from './masking.ts';

/** Messages up to this size share slabs. */
const POOLED_BYTES = 4096;
/** Small, since each message that a pending handler has in hand may keep one. 8 KiB was slower. */
const SLAB_BYTES = 16 * 1024;
/** The size of the block for `hintAllocator`. Nobody writes to the block, so it takes up no physical memory. */
const HINT_BYTES = 31 * 1024 * 1024;

let slab = newSlab();
let slabBlock = new Block(new Uint8Array(slab));
let used = 0;

hintAllocator();

/** Copies `source[start..end)`, unmasked, into memory that the caller may keep. */
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

/**
 * A slab holds messages of several connections, so a user must not be able to transfer it to a worker with one of them.
 */
function newSlab(): ArrayBuffer {
  const memory = new ArrayBuffer(SLAB_BYTES);
  markAsUntransferable(memory);
  return memory;
}

/**
 * By default, glibc returns large freed blocks to the system at once, so each new block causes page faults again, which
 * cost ten times as much as the copy. After a block of this size was allocated and freed, glibc raises its threshold and
 * keeps freed memory (mallopt(3), "dynamic mmap threshold").
 */
function hintAllocator(): void {
  new ArrayBuffer(HINT_BYTES);
}
