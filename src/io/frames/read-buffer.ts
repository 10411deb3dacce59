/**
 * The memory that sockets read into, and unmasking with SIMD in it.
 *
 * What was read is processed before the next read begins, so all connections share one block. The block is in the memory
 * of a WebAssembly module that unmasks in place, 16 octets per instruction. When WebAssembly SIMD is not available, the
 * block is ordinary memory, and payloads are unmasked word by word.
 */
import { Buffer } from 'node:buffer';
import { unmaskModule } from '../wasm/binary.ts';
import { Block } from './masking.ts';

const PAGE_BYTES = 65_536;
/** The most bytes of one read. */
export const READ_BYTES = 4 * PAGE_BYTES;

/** The part of the WebAssembly API that is used here. Node has the API, but TypeScript declares it only for browsers. */
declare const WebAssembly: {
  Memory: new (size: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer };
  Module: new (binary: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { readonly exports: Record<string, unknown> };
};

type Unmask = (from: number, bytes: number, key: number) => number;

const { memory, unmask } = load();

/** What sockets read into. The bytes are valid until the callback that was told of them returns. */
export const readBuffer: Buffer = Buffer.from(memory, PAGE_BYTES, READ_BYTES);

/** The read buffer as a source of payloads. */
export const readBlock = new Block(
  readBuffer,
  unmask && ((start, end, key) => unmask(PAGE_BYTES + start, end - start, key)),
);

/** The chunk as a block: the read buffer itself if the chunk is its beginning, otherwise a new block. */
export function toBlock(chunk: Uint8Array): Block {
  return chunk.buffer === memory && chunk.byteOffset === PAGE_BYTES ? readBlock : new Block(chunk);
}

function load(): { memory: ArrayBuffer; unmask: Unmask | undefined } {
  const pages = 1 + READ_BYTES / PAGE_BYTES;
  try {
    // The size is fixed, because growing would detach the ArrayBuffer that sockets read into.
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const module = new WebAssembly.Module(Buffer.from(unmaskModule, 'base64'));
    const { exports } = new WebAssembly.Instance(module, { env: { memory } });
    return { memory: memory.buffer, unmask: exports.unmask as Unmask };
  } catch {
    return { memory: new ArrayBuffer(pages * PAGE_BYTES), unmask: undefined };
  }
}
