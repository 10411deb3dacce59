/**
 * The frame decoder once more, from RFC 6455 5.2 to 5.5 and as slow and plain as can be: all bytes are here, each law
 * is asked in the order in which its byte comes, and text is judged by the table of RFC 3629. What the real decoder
 * answers, however it got the bytes, must be what this one does.
 */
import { Buffer, isUtf8 } from 'node:buffer';
import type { DecoderLimits } from '../../src/io/frames/frame-decoder.ts';
import { firstImpossible } from '../conformance/utf8-table.ts';
import { shown, type Way } from './decoding.ts';

interface Message {
  readonly kind: 'text' | 'binary';
  bytes: Buffer;
  fragments: number;
  /** Bytes that were told as fragments. */
  told: number;
}

/** The answers to `input`, as in decoding.ts; a fault without its reason. */
export function expectedAnswers(input: Uint8Array, limits: DecoderLimits, wants: Way['wants']): string[] {
  const answers: string[] = [];
  const failed = (code: number): string[] => [...answers, `fault ${code}`];
  let at = 0;
  let message: Message | undefined;
  for (;;) {
    const [b0, b1] = [input[at], input[at + 1]];
    if (b0 === undefined) return answers;
    const opcode = b0 & 15;
    const fin = b0 > 127;
    const isControl = opcode > 7;
    if (((b0 >> 4) & 7) !== 0) return failed(1002);
    if (![0, 1, 2, 8, 9, 10].includes(opcode)) return failed(1002);
    if (isControl && !fin) return failed(1002);
    if (!isControl && (opcode === 0) !== (message !== undefined)) return failed(1002);
    if (b1 === undefined) return answers;
    if (b1 < 128) return failed(1002);
    const short = b1 - 128;
    if (isControl && short > 125) return failed(1002);
    const lengthBytes = short === 127 ? 8 : short === 126 ? 2 : 0;
    const lengthAt = at + 2;
    if (lengthBytes === 8 && (input[lengthAt] ?? 0) > 127) return failed(1002);
    const keyAt = lengthAt + lengthBytes;
    if (input.length < keyAt) return answers;
    const digits = Buffer.from(input.subarray(lengthAt, keyAt)).toString('hex');
    const length = lengthBytes === 0 ? BigInt(short) : BigInt(`0x${digits}`);
    if (length < (lengthBytes === 8 ? 65_536n : lengthBytes === 2 ? 126n : 0n)) return failed(1002);
    if (!isControl) {
      if (BigInt(message?.bytes.length ?? 0) + length > BigInt(limits.cap)) return failed(1009);
      const isFragment = opcode === 0 || !fin;
      if (isFragment && (message?.fragments ?? 0) >= limits.maxFragments) return failed(1008);
    }
    const start = keyAt + 4;
    if (input.length < start) return answers;
    const end = start + Number(length);
    const key = input.subarray(keyAt, start);
    const payload = Buffer.from(input.subarray(start, end).map((octet, i) => octet ^ (key[i % 4] as number)));
    const isHere = input.length >= end;
    at = end;

    if (isControl) {
      if (!isHere) return answers;
      answers.push(`${opcode === 8 ? 'close' : opcode === 9 ? 'ping' : 'pong'} ${shown(payload)}`.trim());
      continue;
    }
    const first = opcode !== 0;
    message ??= { kind: opcode === 1 ? 'text' : 'binary', bytes: Buffer.alloc(0), fragments: 0, told: 0 };
    message.bytes = Buffer.concat([message.bytes, payload]);
    message.fragments += 1;
    const isText = message.kind === 'text';
    const isWhole = !isText || isUtf8(message.bytes);
    if (!isWhole && firstImpossible(message.bytes) >= 0) return failed(1007);
    if (!isHere) return answers;
    if (fin && !isWhole) return failed(1007);
    if (first && fin) {
      answers.push(`${message.kind} ${shown(message.bytes)}`.trim());
    } else {
      tellFragment(answers, message, {
        place: first ? ' first' : fin ? ' last' : '',
        bytes: Number(length),
        wants,
      });
      if (fin && wants !== 'fragments')
        answers.push(`assembled ${message.kind} ${shown(message.bytes)}`.trim());
    }
    if (fin) message = undefined;
  }
}

function tellFragment(
  answers: string[],
  message: Message,
  { place, bytes, wants }: { place: string; bytes: number; wants: Way['wants'] },
): void {
  if (wants === 'messages') {
    answers.push(`fragment${place} of ${bytes} bytes`);
    return;
  }
  // Text is told up to its last whole character.
  let end = message.bytes.length;
  while (message.kind === 'text' && !isUtf8(message.bytes.subarray(0, end))) end -= 1;
  answers.push(`${message.kind} fragment${place} ${shown(message.bytes.subarray(message.told, end))}`.trim());
  message.told = end;
}
