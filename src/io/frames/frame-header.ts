/**
 * Reads frame headers (RFC 6455 5.2) and checks everything that a header can break: the framing rules, and the limits on
 * a message. The payloads are the business of `FrameDecoder`, which extends this class.
 *
 * Each rule is checked as soon as the byte that can break it has arrived. The checks come in the order of those bytes,
 * so the fault is the same however the bytes were split.
 */
import { constants } from 'node:buffer';
import type { Extension } from '../extensions/extension.ts';
import { type Fault, type FaultName, type FaultValues, fault } from '../faults.ts';
import { BINARY, CLOSE, CONTINUATION, MAX_CONTROL_BYTES, PONG, RSV1 } from './frame-encoder.ts';
import type { MaskingKey, Role } from './masking.ts';

export interface DecoderLimits {
  /** Bytes of a message, whole or fragmented; with an extension, of what it makes of the payloads. */
  readonly cap: number;
  /** Frames of one fragmented message, empty ones included. */
  readonly maxFragments: number;
}

/** A header has at most 2 + 8 + 4 bytes. */
const MAX_HEADER_BYTES = 14;
const RSV_BITS = 0x70;
const MASK_BIT = 0x80;

export abstract class HeaderReader {
  /** After FAULT: what is wrong. */
  fault: Fault | undefined;
  /** The last frame has the FIN bit. */
  final = false;
  /** Payload bytes of the last frame, as they were on the wire. */
  payloadBytes = 0;
  /** False when only fragments are wanted; then no message is assembled. */
  assemble = true;
  /** Reads messages with RSV1 set. Undefined: any reserved bit is a fault. */
  extension: Extension | undefined;

  // The frame whose payload is being read.
  protected opcode = 0;
  protected rsv1 = false;
  protected key: MaskingKey = 0; // 0: not masked
  protected missing = -1; // payload bytes still to come; -1 between frames

  // The message being read.
  protected messageOpcode = 0; // of a fragmented message; 0: none
  protected messageBytes = 0;
  protected fragments = 0;
  /** The extension reads the payload of this message. */
  protected extended = false;

  // The beginning of a header whose other bytes are in the next chunk.
  protected cutBytes = 0;
  #cut: Uint8Array | undefined;

  readonly #limits: DecoderLimits;
  /** The MASK bit as every frame must have it: 0x80 or 0. */
  readonly #maskBit: number;
  readonly #keyBytes: number;

  /** A server reads masked frames only, a client unmasked ones only (RFC 6455 5.1). */
  constructor(limits: DecoderLimits, role: Role) {
    this.#limits = limits;
    this.#maskBit = role === 'server' ? MASK_BIT : 0;
    this.#keyBytes = role === 'server' ? 4 : 0;
  }

  protected fail(name: FaultName, values?: FaultValues): -1 {
    this.fault = fault(name, values);
    return -1;
  }

  /**
   * Reads the header that begins at `at`. Returns its length, 0 when bytes are missing, -1 for a fault. What has arrived
   * is checked even when bytes are missing, so the first wrong byte fails.
   */
  protected readHeader(bytes: Uint8Array, at: number): number {
    const available = bytes.length - at;
    if (available < 1) return 0;
    const b0 = bytes[at] as number;
    const opcode = b0 & 0x0f;
    const final = b0 >= 0x80;
    if ((b0 & RSV_BITS) !== 0 && !this.#acceptsReservedBits(b0)) return -1;
    if (opcode >= CLOSE) {
      // 5.2: "If an unknown opcode is received, the receiving endpoint MUST _Fail the WebSocket Connection_."
      if (opcode > PONG) return this.fail('reservedOpcode', { opcode });
      // 5.5: control frames "MUST NOT be fragmented".
      if (!final) return this.fail('fragmentedControl');
    } else if (opcode === CONTINUATION) {
      // 5.4: a continuation frame only follows a frame without FIN.
      if (this.messageOpcode === 0) return this.fail('strayContinuation');
    } else {
      if (opcode > BINARY) return this.fail('reservedOpcode', { opcode });
      // 5.4: "The fragments of one message MUST NOT be interleaved between the fragments of another message".
      if (this.messageOpcode !== 0) return this.fail('interleavedMessage');
    }
    if (available < 2) return 0;

    const b1 = bytes[at + 1] as number;
    // 5.1: "The server MUST close the connection upon receiving a frame that is not masked", and "A client MUST close a
    // connection if it detects a masked frame."
    if ((b1 & MASK_BIT) !== this.#maskBit) return this.fail(b1 < MASK_BIT ? 'unmasked' : 'masked');
    let length = b1 & 0x7f;
    let size = 2;
    if (length > MAX_CONTROL_BYTES) {
      // 5.5: "All control frames MUST have a payload length of 125 bytes or less".
      if (opcode >= CLOSE) return this.fail('longControl');
      const wide = length === 127;
      size = wide ? 10 : 4;
      // 5.2: of a 64-bit length "the most significant bit MUST be 0".
      if (wide && available > 2 && (bytes[at + 2] as number) >= 0x80) return this.fail('lengthSign');
      if (available < size) return 0;
      length = wide
        ? readUint64(bytes, at + 2)
        : ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number);
      // 5.2: "the minimal number of bytes MUST be used to encode the length".
      if (length < (wide ? 65_536 : 126)) return this.fail('longLength');
    }
    const rsv1 = (b0 & RSV1) !== 0;
    if (opcode < CLOSE) {
      // Of a message that an extension reads, the limits on bytes are about what comes out.
      const counted = rsv1 || this.extended ? 0 : length;
      if (!this.withinLimits(counted) || !this.#withinFragments(opcode, final)) return -1;
    }

    const keyBytes = this.#keyBytes;
    if (available < size + keyBytes) return 0;
    this.key = keyBytes === 0 ? 0 : readKey(bytes, at + size);
    this.opcode = opcode;
    this.rsv1 = rsv1;
    this.missing = length;
    this.payloadBytes = length;
    this.final = final;
    return size + keyBytes;
  }

  /**
   * 5.2: the reserved bits "MUST be 0 unless an extension is negotiated that defines meanings for non-zero values". An
   * extension defines RSV1 on the first frame of a message (as RFC 7692 6 does), and nothing else.
   */
  #acceptsReservedBits(b0: number): boolean {
    if (this.extension === undefined || (b0 & RSV_BITS) !== RSV1) {
      this.fail('reservedBits');
      return false;
    }
    const opcode = b0 & 0x0f;
    if (opcode !== CONTINUATION && opcode < CLOSE) return true;
    this.fail('misplacedRsv1');
    return false;
  }

  /** Whether the message may have `bytes` more (10.4). It is asked before they are kept. */
  protected withinLimits(bytes: number): boolean {
    const { cap } = this.#limits;
    const messageBytes = this.messageBytes + bytes;
    if (messageBytes > cap) {
      this.fail('cap', { bytes: cap });
      return false;
    }
    // A frame is always held whole, a message only when it is assembled. Neither may be longer than a string can be.
    if ((this.assemble ? messageBytes : bytes) > constants.MAX_STRING_LENGTH) {
      this.fail('maxStringLength', { bytes: constants.MAX_STRING_LENGTH });
      return false;
    }
    return true;
  }

  #withinFragments(opcode: number, final: boolean): boolean {
    const { maxFragments } = this.#limits;
    if ((opcode !== CONTINUATION && final) || this.fragments < maxFragments) return true;
    this.fail('maxFragments', { count: maxFragments });
    return false;
  }

  /** Keeps the beginning of a header, whose other bytes are in the next chunk. */
  protected keepHeader(bytes: Uint8Array): void {
    this.#cut ??= new Uint8Array(MAX_HEADER_BYTES);
    this.#cut.set(bytes);
    this.cutBytes = bytes.length;
  }

  /** Adds one byte to the header that is kept; returns what `readHeader` does. */
  protected continueHeader(byte: number): number {
    const cut = this.#cut as Uint8Array; // `keepHeader` came before
    cut[this.cutBytes++] = byte;
    return this.readHeader(cut.subarray(0, this.cutBytes), 0);
  }
}

function readKey(bytes: Uint8Array, at: number): MaskingKey {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}

/** A 64-bit length. Above 2^53 the low bits are lost; that does not matter, since it is over every limit. */
function readUint64(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (let i = at; i < at + 8; i++) value = value * 256 + (bytes[i] as number);
  return value;
}
