/**
 * The memory that sockets read into, one block for the whole process, and SIMD over it.
 *
 * A read is processed before the next one begins, so all connections can share one block. It lies in the memory of a
 * WebAssembly module that unmasks in place, 16 octets an instruction. Where WebAssembly SIMD is not to be had, the
 * block is plain memory and payloads are unmasked word by word.
 */
import { Buffer } from 'node:buffer';
import { unmaskModule } from '../wasm/binary.ts';
import { Block } from './masking.ts';

const PAGE_BYTES = 65_536;
/** A read brings at most this much. */
export const READ_BYTES = 4 * PAGE_BYTES;

/** What we use of the WebAssembly API: Node has it, but its types come with those of browsers. */
declare const WebAssembly: {
  Memory: new (size: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer };
  Module: new (binary: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { readonly exports: Record<string, unknown> };
};

type Unmask = (from: number, bytes: number, key: number) => number;

const { memory, unmask } = load();

/** What sockets read into: its bytes are valid until the call that brought them returns. */
export const readBuffer: Buffer = Buffer.from(memory, PAGE_BYTES, READ_BYTES);

/** The read buffer as a source of payloads. */
export const readBlock = new Block(
  readBuffer,
  unmask && ((start, end, key) => unmask(PAGE_BYTES + start, end - start, key)),
);

/** The block that a chunk is: the read buffer, when it lies at its beginning, or one of its own. */
export function toBlock(chunk: Uint8Array): Block {
  return chunk.buffer === memory && chunk.byteOffset === PAGE_BYTES ? readBlock : new Block(chunk);
}

function load(): { memory: ArrayBuffer; unmask: Unmask | undefined } {
  const pages = 1 + READ_BYTES / PAGE_BYTES;
  try {
    // Fixed in size: a memory that grows would detach the block that sockets hold.
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const module = new WebAssembly.Module(Buffer.from(unmaskModule, 'base64'));
    const { exports } = new WebAssembly.Instance(module, { env: { memory } });
    return { memory: memory.buffer, unmask: exports.unmask as Unmask };
  } catch {
    return { memory: new ArrayBuffer(pages * PAGE_BYTES), unmask: undefined };
  }
}
