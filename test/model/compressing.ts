/** A client that compresses all that it sends, and inflates what comes: for paths of the model. */
import { encodeClientFrame } from '../../src/testing/frames.ts';
import { deflated, PersistentPeer, TAIL } from '../support/deflate-peer.ts';
import { bytes, OPCODE } from '../support/raw-client.ts';

const FIN = 0x80;
const RSV = 0x70;
const HEADER_BYTES = 6;
const MOST_SHORT_BYTES = 125;

export class Compressing {
  readonly peer = new PersistentPeer(15);
  /** The message whose fragments are sent is compressed. */
  #isCompressed = false;

  /** The same frames, the good ones of data compressed. What is no whole frame, or wrong, stays as it is. */
  frames(sent: Uint8Array): Uint8Array {
    const out: Uint8Array[] = [];
    let at = 0;
    for (let frame = frameAt(sent, at); frame !== undefined; frame = frameAt(sent, at)) {
      out.push(this.#compress(frame));
      at += frame.length;
    }
    return bytes(...out, sent.subarray(at));
  }

  #compress(frame: Uint8Array): Uint8Array {
    const [first = 0, second = 0] = frame;
    const opcode = first & 0x0f;
    const isData = opcode <= OPCODE.binary && (first & RSV) === 0;
    const isFirst = opcode !== OPCODE.continuation;
    const final = (first & FIN) !== 0;
    if (!isData || (!isFirst && !this.#isCompressed)) return frame;
    this.#isCompressed = !final;
    const start = (second & 0x7f) > MOST_SHORT_BYTES ? HEADER_BYTES + 2 : HEADER_BYTES;
    const key = frame.subarray(start - 4, start);
    const payload = frame.subarray(start).map((octet, i) => octet ^ (key[i % 4] as number));
    const whole = deflated(payload);
    return encodeClientFrame({
      opcode,
      final,
      rsv: isFirst ? 4 : 0,
      payload: final ? whole : bytes(whole, TAIL),
    });
  }
}

/** The masked frame that begins here, if all of it is here and it is shorter than 64 KiB. */
function frameAt(sent: Uint8Array, at: number): Uint8Array | undefined {
  const [, second = 0, high = 0, low = 0] = sent.subarray(at);
  if (second < FIN || second === FIN + 127) return undefined;
  const short = second - FIN;
  const end = at + HEADER_BYTES + (short > MOST_SHORT_BYTES ? 2 + high * 256 + low : short);
  return end > sent.length ? undefined : sent.subarray(at, end);
}
