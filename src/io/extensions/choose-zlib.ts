/**
 * Finds out how zlib can be used in this runtime.
 *
 * Node's own contexts (`NativeZlib`) lie below its streams and are not documented, so they are tried out before they are
 * used. Where they are not as expected, Node's public functions (`PublicZlib`) do the same without contexts: each message
 * is compressed by itself, which any peer can read, and a message is inflated when it is complete.
 */
import { NativeZlib } from './native-zlib.ts';
import { PublicZlib } from './public-zlib.ts';
import { type Inflater, TAIL, type Zlib, type ZlibModule } from './zlib.ts';

let chosen: Zlib | undefined;

/** The better one of both that works here. Node's zlib is loaded with the first call. */
export function zlibOfThisRuntime(): Zlib {
  chosen ??= chooseZlib(process.getBuiltinModule('node:zlib'), process.versions.node);
  return chosen;
}

/**
 * The versions of Node on which the native contexts were tried. On another one, a call with arguments that it does not expect
 * might end the process instead of throwing.
 */
const TRIED = { from: 20, to: 26 };

/** Native contexts where they do what is expected of them, otherwise the public functions. */
export function chooseZlib(zlib: ZlibModule, nodeVersion: string): Zlib {
  const major = Number.parseInt(nodeVersion, 10);
  if (!(major >= TRIED.from && major <= TRIED.to)) return new PublicZlib(zlib);
  try {
    const native = NativeZlib.find(zlib);
    if (native !== undefined && worksAsExpected(native)) return native;
  } catch {
    // Not as expected.
  }
  return new PublicZlib(zlib);
}

/** Tries out all that is used: both ways, a reset, an end of the stream, too little room, wrong data. */
function worksAsExpected(zlib: Zlib): boolean {
  const deflater = zlib.deflater({ windowBits: 9, level: 1, memLevel: 1 });
  const inflater = zlib.inflater(15);
  try {
    const text = Uint8Array.from({ length: 300 }, (_, i) => (i * i) % 251);
    const out = new Uint8Array(600);
    const roundTrip = (): boolean => {
      deflater.reset();
      inflater.reset();
      const bytes = deflater.deflate(text, out);
      const isWhole = bytes > 4 && TAIL.every((byte, i) => out[bytes - 4 + i] === byte);
      return isWhole && isEqual(inflateAll(inflater, out.slice(0, bytes - 4), 1000), text);
    };
    if (!roundTrip() || !roundTrip()) return false;
    inflater.reset();
    if (deflater.deflate(text, out.subarray(0, 8)) !== -1 || !roundTrip()) return false;
    inflater.reset();
    // RFC 7692 7.2.3.4: a block with BFINAL, and an empty one after it.
    const hello = Uint8Array.of(0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00);
    if (inflateAll(inflater, hello, 1000)?.length !== 5) return false;
    inflater.reset();
    if (inflateAll(inflater, Uint8Array.of(0xff, 0xff), 1000) !== undefined) return false;
    inflater.reset();
    return inflateAll(inflater, hello, 1000)?.length === 5;
  } finally {
    deflater.close();
    inflater.close();
  }
}

/** What a whole message inflates to, up to `most` bytes; undefined when it is not deflate data. */
function inflateAll(inflater: Inflater, message: Uint8Array, most: number): Uint8Array | undefined {
  const out = new Uint8Array(most);
  let used = 0;
  inflater.push(message, true);
  while (used < most) {
    const bytes = inflater.inflate(out.subarray(used), most - used);
    if (bytes < 0) return undefined;
    if (bytes === 0) break;
    used += bytes;
  }
  return out.subarray(0, used);
}

const isEqual = (a: Uint8Array | undefined, b: Uint8Array): boolean =>
  a !== undefined && a.length === b.length && a.every((byte, i) => byte === b[i]);
