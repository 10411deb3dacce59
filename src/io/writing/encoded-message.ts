/**
 * A message that is encoded once and sent to many peers. Users cannot look inside: it holds the frame as each kind of peer
 * needs it, made when the first peer of that kind gets the message.
 */
import { Buffer } from 'node:buffer';
import type { Extension } from '../extensions/extension.ts';
import { BINARY, encodeFrame, RSV1, TEXT } from '../frames/frame-encoder.ts';
import { isUnwantedPromise } from '../values.ts';
import { bytesAdvice, toBytes } from './bytes.ts';

/** A message as one kind of peer gets it. Nobody writes to it. */
export interface EncodedForm {
  readonly frame: Uint8Array;
  /** Bytes of the payload in `frame`. */
  readonly payloadBytes: number;
}

/** What a message says. The bytes are a view of its frame: nobody writes to them. */
export interface EncodedContent {
  readonly bytes: Uint8Array;
  readonly binary: boolean;
}

let make: (opcode: number, payload: Uint8Array) => EncodedMessage;
let isMade: (value: object) => boolean;
let formIn: (message: EncodedMessage, extension: Extension | undefined, always: boolean) => EncodedForm;
let contentIn: (message: EncodedMessage) => EncodedContent;

/** A message encoded once, to be sent to many: made by `prepare`. */
export class EncodedMessage {
  readonly #opcode: number;
  readonly #plain: EncodedForm;
  /** Other forms, by the `form` of the extension that made them, and whether it had to. */
  #forms: Map<string, EncodedForm> | undefined;

  private constructor(opcode: number, payload: Uint8Array) {
    this.#opcode = opcode;
    this.#plain = { frame: encodeFrame(opcode, payload), payloadBytes: payload.length };
  }

  #form(extension: Extension, always: boolean): EncodedForm {
    this.#forms ??= new Map();
    const name = always ? `${extension.form} always` : extension.form;
    let form = this.#forms.get(name);
    if (form === undefined) {
      form = this.#encode(extension, always);
      this.#forms.set(name, form);
    }
    if (form !== this.#plain) extension.forget();
    return form;
  }

  #encode(extension: Extension, always: boolean): EncodedForm {
    const { frame, payloadBytes } = this.#plain;
    const payload = extension.encode(frame.subarray(frame.length - payloadBytes), true, always);
    if (payload === undefined) return this.#plain;
    return { frame: encodeFrame(this.#opcode, payload, true, RSV1), payloadBytes: payload.length };
  }

  // Functions of this module, instead of methods that users would see.
  static {
    make = (opcode, payload) => new EncodedMessage(opcode, payload);
    isMade = (value) => #plain in value;
    formIn = (message, extension, always) =>
      extension === undefined ? message.#plain : message.#form(extension, always);
    contentIn = (message) => {
      const { frame, payloadBytes } = message.#plain;
      return {
        bytes: frame.subarray(frame.length - payloadBytes),
        binary: message.#opcode === BINARY,
      };
    };
  }
}

/**
 * Encodes a message once, so that the same bytes can be sent to many connections.
 * @throws TypeError for anything but a string or a Uint8Array.
 */
export function encodeMessage(message: string | Uint8Array): EncodedMessage {
  if (typeof message === 'string') return make(TEXT, Buffer.from(message));
  const bytes = toBytes(message);
  if (bytes === undefined) throw notSendable(message);
  return make(BINARY, bytes);
}

/** Whether `encodeMessage` made the value. */
export function isEncoded(value: unknown): value is EncodedMessage {
  return typeof value === 'object' && value !== null && isMade(value);
}

/**
 * The message as a peer gets it whose connection has this extension, or none. Another connection may have encoded it, so the
 * extension must not refer to earlier messages in what it encodes next. `always`: encoded however short it is.
 */
export function formOf(message: EncodedMessage, extension?: Extension, always = false): EncodedForm {
  return formIn(message, extension, always);
}

/** What the message says, before any extension. */
export function contentOf(message: EncodedMessage): EncodedContent {
  return contentIn(message);
}

/** The message of these bytes, which are copied; those of a text are UTF-8. */
export function encodeContent({ bytes, binary }: EncodedContent): EncodedMessage {
  return make(binary ? BINARY : TEXT, bytes);
}

/** The error for a value that cannot be sent. If it is a promise, its rejection is nobody's concern. */
export function notSendable(value: unknown): TypeError {
  isUnwantedPromise(value);
  const allowed = 'a message is a string, a Uint8Array, or what prepare() made';
  const json = 'JSON goes as JSON.stringify(value)';
  return new TypeError(`cannot send ${kindOf(value)}; ${allowed}; ${json}${bytesAdvice(value)}`);
}

/** What a value is, with its article. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  const kind = typeof value === 'object' ? (value.constructor?.name ?? 'object') : typeof value;
  return /^[AEIOaeio]/.test(kind) ? `an ${kind}` : `a ${kind}`;
}
