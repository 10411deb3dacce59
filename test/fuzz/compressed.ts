/** Frames with compressed messages, by every parameter of zlib, whole and in fragments, with accidents to them. */
import { constants, deflateRawSync } from 'node:zlib';
import { bytes, frame, OPCODE } from '../support/raw-client.ts';
import { type Chance, mutated } from './chance.ts';

const RSV1 = 4;
const WORDS = ['price', '{"symbol":"', '1234.5', 'é', '\u{1f600}', ' ', '\0', 'a'];
const { Z_SYNC_FLUSH, Z_FINISH, Z_FULL_FLUSH } = constants;

/** The bytes that a fuzzed decoder gets. */
export function compressedBytes(chance: Chance): Uint8Array {
  return bytes(...chance.some(1, 3, () => message(chance)).flat());
}

function message(chance: Chance): Uint8Array[] {
  if (chance.oneIn(6)) return [frame({ opcode: OPCODE.text, payload: 'plain', mask: chance.bytes(4) })];
  const isText = chance.oneIn(2);
  const whole = deflated(chance, isText);
  const payload = chance.oneIn(3) ? mutated(whole, chance) : whole;
  const pieces = chance.oneIn(2) ? chance.cut(payload) : [payload];
  const frames = pieces.map((piece, i) =>
    frame({
      opcode: i > 0 ? OPCODE.continuation : isText ? OPCODE.text : OPCODE.binary,
      rsv: i > 0 && !chance.oneIn(50) ? 0 : RSV1,
      fin: i === pieces.length - 1,
      payload: piece,
      mask: chance.bytes(4),
    }),
  );
  const ping = frame({ opcode: OPCODE.ping, payload: 'p', rsv: chance.oneIn(20) ? RSV1 : 0 });
  if (chance.oneIn(5)) frames.splice(1, 0, ping);
  return frames;
}

/** One message as some client might compress it: with blocks of all kinds, streams that end, and noise. */
function deflated(chance: Chance, isText: boolean): Uint8Array {
  if (chance.oneIn(20)) return chance.bytes(chance.below(60));
  const parts = chance.some(1, chance.pick([1, 1, 4]), () =>
    deflateRawSync(content(chance, isText), {
      finishFlush: chance.pick([Z_SYNC_FLUSH, Z_SYNC_FLUSH, Z_FULL_FLUSH, Z_FINISH]),
      level: chance.below(10),
      memLevel: 1 + chance.below(9),
      windowBits: 9 + chance.below(7),
      strategy: chance.below(5),
    }),
  );
  const whole = bytes(...parts);
  // The tail is cut off, or forgotten, or more than that is lost.
  return whole.subarray(0, Math.max(0, whole.length - chance.pick([4, 4, 4, 4, 0, 1, 5, 12])));
}

function content(chance: Chance, isText: boolean): Uint8Array {
  const repeats = chance.pick([1, 1, 2, 50, chance.oneIn(10) ? 3000 : 3]);
  if (isText && !chance.oneIn(20))
    return bytes(
      chance
        .some(0, 20, () => chance.pick(WORDS))
        .join('')
        .repeat(repeats),
    );
  const noise = chance.bytes(chance.below(40));
  return bytes(...Array.from({ length: repeats }, () => noise));
}
