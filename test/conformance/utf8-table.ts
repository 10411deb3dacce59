/**
 * RFC 3629 section 4, written out as it stands there: which byte may follow which. The suite's own account of
 * UTF-8, so that the server is not judged by the decoder it may itself use.
 */

type Range = readonly [low: number, high: number];

const TAIL: Range = [0x80, 0xbf];

/** UTF8-1, UTF8-2, UTF8-3 and UTF8-4, each alternative with its ranges. */
const ALTERNATIVES: readonly (readonly Range[])[] = [
  [[0x00, 0x7f]],
  [[0xc2, 0xdf], TAIL],
  [[0xe0, 0xe0], [0xa0, 0xbf], TAIL],
  [[0xe1, 0xec], TAIL, TAIL],
  [[0xed, 0xed], [0x80, 0x9f], TAIL],
  [[0xee, 0xef], TAIL, TAIL],
  [[0xf0, 0xf0], [0x90, 0xbf], TAIL, TAIL],
  [[0xf1, 0xf3], TAIL, TAIL, TAIL],
  [[0xf4, 0xf4], [0x80, 0x8f], TAIL, TAIL],
];

/** Bytes at which any table of UTF-8 changes its mind, and their neighbours. */
const EDGES = [
  0x00, 0x7f, 0x80, 0x81, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xed, 0xef, 0xf0, 0xf4,
  0xf5, 0xf8, 0xfc, 0xfe, 0xff,
];

/** The beginnings of a character to which more bytes belong: the ends of each range, and all they combine to. */
export function unfinishedCharacters(): number[][] {
  const unfinished: number[][] = [];
  for (const ranges of ALTERNATIVES) {
    let beginnings: number[][] = [[]];
    for (const [low, high] of ranges.slice(0, -1)) {
      const ends = low === high ? [low] : [low, high];
      beginnings = beginnings.flatMap((beginning) => ends.map((end) => [...beginning, end]));
      unfinished.push(...beginnings);
    }
  }
  return unfinished;
}

/** The bytes that cannot follow an unfinished character; of those, the edges. After nothing: all of them. */
export function impossibleAfter(unfinished: number[]): number[] {
  const candidates = unfinished.length === 0 ? Array.from({ length: 256 }, (_, byte) => byte) : EDGES;
  return candidates.filter((byte) => !isPossible([...unfinished, byte]));
}

/** Where in `payload` the first byte stands that no UTF-8 text can have there; -1 if there is none. */
export function firstImpossible(payload: Uint8Array): number {
  let character: number[] = [];
  for (const [i, byte] of payload.entries()) {
    character.push(byte);
    if (!isPossible(character)) return i;
    if (isWhole(character)) character = [];
  }
  return -1;
}

function isWhole(character: number[]): boolean {
  const first = character[0] ?? 0;
  return character.length === (first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4);
}

function isPossible(beginning: number[]): boolean {
  return ALTERNATIVES.some(
    (ranges) =>
      beginning.length <= ranges.length &&
      beginning.every((byte, i) => {
        const [low, high] = ranges[i] ?? [1, 0];
        return byte >= low && byte <= high;
      }),
  );
}
