// What every client says to the echo server, and what it must hear.

const pattern = (length: number) => Uint8Array.from({ length }, (_, n) => (n * 7 + (n >> 8)) & 0xff);

export const texts: Record<string, string> = {
  text: 'hello',
  'text of two, three and four bytes a character': 'Grüße – Κόσμε – 😀',
  'an empty text': '',
  '70,000 bytes of text': 'portal '.repeat(10_000),
};

export const binaries: Record<string, Uint8Array> = {
  binary: Uint8Array.of(0xde, 0xad, 0xbe, 0xef, 0x00, 0xff),
  'an empty binary message': new Uint8Array(0),
  '70,000 bytes of binary': pattern(70_000),
};

/** Sent without waiting for any echo; the echoes come in the same order. */
export const many = Array.from({ length: 500 }, (_, n) => `message ${n}`);
