/**
 * What a server sends, judged as it comes: the answer to the handshake, then frames that keep every rule of RFC 6455
 * for a server. The first that breaks one is the `fault`, with the rule's section.
 */
import { Buffer, isUtf8 } from 'node:buffer';
import type { Extension } from '../../src/io/extensions/extension.ts';

/** A data message, as its payload, and whether it came in more than one frame. */
export interface WireMessage {
  readonly payload: string;
  readonly fragments: number;
}

export class Wire {
  readonly messages: WireMessage[] = [];
  readonly pings: string[] = [];
  readonly pongs: string[] = [];
  /** The code and reason of the server's Close. */
  close: string | undefined;
  status: number | undefined;
  receivedBytes = 0;
  fault: string | undefined;

  #rest: Buffer = Buffer.alloc(0);
  #parts: Buffer[] = [];
  #opcode = 0;
  #isCompressed = false;
  readonly #inflater: Extension | undefined;

  /** `inflater` reads messages with RSV1 set, where that was agreed on (RFC 7692). */
  constructor(inflater?: Extension) {
    this.#inflater = inflater;
  }

  read(chunk: Uint8Array): void {
    this.receivedBytes += chunk.length;
    this.#rest = Buffer.concat([this.#rest, chunk]);
    if (this.status === undefined && !this.#readHead()) return;
    try {
      while (this.status === 101 && this.#readFrame());
    } catch (error) {
      this.fault ??= (error as Error).message;
    }
  }

  #readHead(): boolean {
    const end = this.#rest.indexOf('\r\n\r\n');
    if (end < 0) return false;
    this.status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(this.#rest.toString('latin1', 0, end))?.[1]);
    this.#rest = this.#rest.subarray(end + 4);
    return true;
  }

  #readFrame(): boolean {
    const bytes = this.#rest;
    if (bytes.length < 2) return false;
    const [b0 = 0, b1 = 0] = bytes;
    const opcode = b0 & 0x0f;
    must(this.close === undefined, `a frame of opcode ${opcode} behind the Close (5.5.1)`);
    const mayBeCompressed = this.#inflater !== undefined && (opcode === 1 || opcode === 2);
    must((b0 & (mayBeCompressed ? 0x30 : 0x70)) === 0, 'a reserved bit (5.2)');
    must([0, 1, 2, 8, 9, 10].includes(opcode), `opcode ${opcode} (5.2)`);
    must(b1 < 0x80, 'a masked frame (5.1)');
    must(opcode < 8 || (b0 >= 0x80 && b1 <= 125), 'a control frame that is fragmented or too long (5.5)');
    const header = b1 === 127 ? 10 : b1 === 126 ? 4 : 2;
    if (bytes.length < header) return false;
    const length = b1 === 127 ? Number(bytes.readBigUInt64BE(2)) : b1 === 126 ? bytes.readUInt16BE(2) : b1;
    must(length > (b1 === 127 ? 65_535 : b1 === 126 ? 125 : -1), 'a length not in its shortest form (5.2)');
    if (bytes.length < header + length) return false;
    if (mayBeCompressed) this.#isCompressed = (b0 & 0x40) !== 0;
    this.#take(opcode, b0 >= 0x80, Buffer.from(bytes.subarray(header, header + length)));
    this.#rest = bytes.subarray(header + length);
    return true;
  }

  #take(opcode: number, fin: boolean, payload: Buffer): void {
    if (opcode === 9) this.pings.push(payload.toString('latin1'));
    else if (opcode === 10) this.pongs.push(payload.toString('latin1'));
    else if (opcode === 8) {
      const code = payload.length === 0 ? 'empty' : payload.readUInt16BE(0);
      this.close = `${code} ${payload.subarray(2).toString()}`;
    } else this.#takeData(opcode, fin, payload);
  }

  #inflate(payload: Buffer, fin: boolean): Buffer {
    const inflater = this.#inflater as Extension; // only with one is a message compressed
    inflater.push(payload, fin, 0);
    return allOf(inflater);
  }

  #takeData(opcode: number, fin: boolean, payload: Buffer): void {
    must((opcode === 0) === this.#parts.length > 0, 'fragments out of order (5.4)');
    if (opcode !== 0) this.#opcode = opcode;
    this.#parts.push(this.#isCompressed ? this.#inflate(payload, fin) : payload);
    if (!fin) return;
    const whole = Buffer.concat(this.#parts);
    must(this.#opcode !== 1 || isUtf8(whole), 'text that is not UTF-8 (5.6)');
    this.messages.push({ payload: whole.toString('latin1'), fragments: this.#parts.length });
    this.#parts = [];
  }
}

/** All that comes out of an extension for one frame. */
function allOf(inflater: Extension): Buffer {
  const outs: Uint8Array[] = [];
  for (let out = inflater.read(); out !== 'more'; out = inflater.read()) {
    must(out instanceof Uint8Array, 'what cannot be inflated (RFC 7692 7.2.2)');
    outs.push(Buffer.from(out as Uint8Array));
  }
  return Buffer.concat(outs);
}

function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(`the server sent ${what}`);
}
