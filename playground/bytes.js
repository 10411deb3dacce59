// Bytes for people: how many there are, what they look like in hex, and hex back to bytes.

const encoder = new TextEncoder();

export const byteLength = (data) =>
  typeof data === 'string' ? encoder.encode(data).length : data.byteLength;

export const count = (n) => n.toLocaleString('en');

export const bytes = (n) => `${count(n)} ${n === 1 ? 'byte' : 'bytes'}`;

/** A duration in milliseconds, in the unit that reads best. */
export function duration(ms) {
  if (ms < 1) return `${Math.round(ms * 1000)} µs`;
  if (ms < 10) return `${ms.toFixed(2)} ms`;
  if (ms < 1000) return `${ms.toFixed(ms < 100 ? 1 : 0)} ms`;
  return `${(ms / 1000).toFixed(1)} s`;
}

export const clock = (date = new Date()) =>
  `${date.toTimeString().slice(0, 8)}.${String(date.getMilliseconds()).padStart(3, '0')}`;

const hexByte = (byte) => byte.toString(16).padStart(2, '0');

export const hex = (data) => Array.from(data, hexByte).join(' ');

/** `'de ad, 0xBE:ef'` to four bytes. Throws a SyntaxError that says what is wrong. */
export function parseHex(text) {
  const digits = text.replace(/0x/gi, '').replace(/[\s,:-]/g, '');
  const stranger = digits.match(/[^0-9a-f]/iu);
  if (stranger) throw new SyntaxError(`“${stranger[0]}” is not a hexadecimal digit.`);
  if (digits.length % 2) throw new SyntaxError('A byte takes two digits; one is missing.');
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** Eight bytes a line, which fits a phone: offset, hex, and what of it is ASCII. */
export function hexDump(data, limit = 1024) {
  const lines = [];
  for (let at = 0; at < Math.min(data.length, limit); at += 8) {
    const row = data.subarray(at, Math.min(at + 8, limit));
    const ascii = Array.from(row, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '·'));
    lines.push(`${at.toString(16).padStart(5, '0')}  ${hex(row).padEnd(23)}  ${ascii.join('')}`);
  }
  if (data.length > limit) lines.push(`and ${bytes(data.length - limit)} more`);
  return lines.join('\n');
}
