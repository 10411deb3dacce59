/**
 * Everything that can go wrong, on one page.
 *
 *   PortalError                  has a stable `code`, and says whose `fault` it is
 *   ├─ PeerError                 the other side broke a rule or a limit
 *   │  ├─ ProtocolError          1002, 1003, 1007: RFC 6455 was violated
 *   │  ├─ InvalidMessageError    1007: a message does not fit the path's codec
 *   │  ├─ LimitError             1008, 1009, 1013: a limit of yours was passed
 *   │  ├─ HandshakeError         the handshake was answered with an HTTP error
 *   │  └─ ConnectionLostError    the stream broke
 *   └─ UserError                 this program did
 *      ├─ OptionError            a wrong option, at the call
 *      ├─ NoMessageHandlerError  a message nobody was there for
 *      ├─ SubscriberError        a subscriber to a stream was ended by an error
 *      ├─ SendLimitError         1013: more was sent at once than `sendLimit` allows
 *      ├─ BackplaneError         the engine between processes is lost, or did not take a message
 *      ├─ NameTakenError, UnknownServerError
 *      └─ InternalError          an impossible state: a defect of Portal itself
 *
 * What your own handlers throw comes to `onError` and `errors$` as it was thrown. None of it ever reaches the peer:
 * it sees a close code and a fixed reason. A code that may not be sent, or a value that cannot be, is a plain
 * `RangeError` or `TypeError` at the call.
 */
import { type Fault, type FaultRow, faults } from '../io/faults.ts';
import type { HttpResponse } from '../io/http/http-response.ts';
import { isUnwantedPromise } from '../io/values.ts';
import type { SchemaIssue } from './messages/schema.ts';

/** Base of all errors that Portal makes. */
export abstract class PortalError extends Error {
  /** Stable; for programs. */
  abstract readonly code: string;
  abstract readonly fault: 'peer' | 'user';
  // A literal in each class, because minifiers change `constructor.name`. A getter of the prototype, because `stack`
  // takes the name before the constructor of a subclass has run, and because an own property would be printed.
  /** The name of the class. */
  abstract override get name(): string;
}

/** The peer's fault. */
export abstract class PeerError extends PortalError {
  readonly fault = 'peer';
  /** The pattern of the path, where it was known. */
  readonly path: string | undefined;
  /** The client's address. */
  readonly remoteAddress: string | undefined;
  /** The Origin header of its handshake. */
  readonly origin: string | undefined;
}

/** This program's fault. */
export abstract class UserError extends PortalError {
  readonly fault = 'user';
}

/** The peer violated RFC 6455; the connection is failed with `closeCode` (7.1.7). */
export class ProtocolError extends PeerError {
  readonly code = 'ERR_PROTOCOL';
  override get name(): string {
    return 'ProtocolError';
  }
  readonly closeCode: number;
  constructor(closeCode: number, message: string) {
    super(message);
    this.closeCode = closeCode;
  }
}

/** A message does not fit the path's codec; unless `onError` may decide otherwise, the connection is failed with 1007. */
export class InvalidMessageError extends PeerError {
  readonly code = 'ERR_INVALID_MESSAGE';
  override get name(): string {
    return 'InvalidMessageError';
  }
  readonly closeCode = 1007;
  /** What the schema says, where there is one. */
  readonly issues: readonly SchemaIssue[];
  /** The message as it came. */
  readonly raw: string | Uint8Array | undefined;
  /** A codec of your own may throw it, to say why. */
  constructor(
    why: string,
    { issues = [], ...options }: { readonly issues?: readonly SchemaIssue[]; readonly cause?: unknown } = {},
  ) {
    super(`a message does not fit: ${why}`, options);
    this.issues = issues;
  }
}

/** The peer passed a limit; the connection is failed with `closeCode`. */
export class LimitError extends PeerError {
  readonly code = 'ERR_LIMIT';
  override get name(): string {
    return 'LimitError';
  }
  /** The option that sets the limit. */
  readonly limit: string;
  readonly closeCode: number;
  constructor(limit: string, closeCode: number, message: string) {
    super(`${limit}: ${message}`);
    this.limit = limit;
    this.closeCode = closeCode;
  }
}

/** The opening handshake was answered with an HTTP error. */
export class HandshakeError extends PeerError {
  readonly code = 'ERR_HANDSHAKE';
  override get name(): string {
    return 'HandshakeError';
  }
  readonly status: number;
  /**
   * Why, as a stable name: `noPath`, `origin`, `tls`, `maxConnections` ...; undefined where a callback of yours chose the
   * answer.
   */
  readonly reason: string | undefined;
  /** The option whose limit was passed, if it was one. */
  readonly limit: string | undefined;
  /** What to do if it was a mistake of this program's, such as a path that was forgotten. */
  readonly advice: string | undefined;
  constructor(status: number, message: string, advice?: string) {
    super(advice === undefined ? message : `${message} ${advice}`);
    this.status = status;
    this.advice = advice;
  }
}

/** The stream broke: a reset, a missing pong, a peer that accepts nothing. */
export class ConnectionLostError extends PeerError {
  readonly code = 'ERR_CONNECTION_LOST';
  override get name(): string {
    return 'ConnectionLostError';
  }
}

/** An option is wrong. Names the option, the value and what is allowed; `message` where that says it better. */
export class OptionError extends UserError {
  readonly code = 'ERR_OPTION';
  override get name(): string {
    return 'OptionError';
  }
  readonly option: string;
  constructor(
    option: string,
    value: unknown,
    allowed: string,
    message = `option ${option} is ${describe(value)}; allowed is ${allowed}`,
  ) {
    super(message);
    this.option = option;
    isUnwantedPromise(value); // it is refused; its rejection is nobody's concern
  }
}

/** A message came on a path with no `onMessage`, and nobody was subscribed. */
export class NoMessageHandlerError extends UserError {
  readonly code = 'ERR_NO_MESSAGE_HANDLER';
  override get name(): string {
    return 'NoMessageHandlerError';
  }
  constructor(path: string) {
    super(
      `a message came on ${path}, which has no onMessage, and nobody is subscribed; ` +
        'give the path an onMessage, subscribe to messages$ as soon as the connection opens and not after an await, ' +
        'or let onError return "continue" to ignore it',
    );
  }
}

/**
 * A subscriber to one of Portal's streams was ended by an error, as RxJS does at the first one that an operator throws: it
 * gets nothing more, of any connection. `cause` is that error. It is told once, on `errors$` of the path and the server.
 * A message that nobody else takes closes its connection with 1011, and this error is put to `onError` again.
 */
export class SubscriberError extends UserError {
  readonly code = 'ERR_SUBSCRIBER_ENDED';
  override get name(): string {
    return 'SubscriberError';
  }
  /** Such as `messages$`. */
  readonly stream: string;
  /** The pattern of the path whose stream it is; undefined where it is the server's. */
  readonly path: string | undefined;
  constructor(stream: string, path: string | undefined, cause: unknown) {
    const why = cause instanceof Error ? `${cause.name}: ${cause.message}` : describe(cause);
    super(
      `a subscriber to ${stream} of ${path ?? 'the server'} has ended and gets nothing more, by this error: ${why}; ` +
        'RxJS ends a subscription at the first error of its operators, so catch errors for each message ' +
        '(catchError inside mergeMap), or use path.serve, where they end one connection only',
      { cause },
    );
    this.stream = stream;
    this.path = path;
  }
}

/** This program sent more than `sendLimit` allows, and the peer could not help it; the connection is failed with 1013. */
export class SendLimitError extends UserError {
  readonly code = 'ERR_SEND_LIMIT';
  override get name(): string {
    return 'SendLimitError';
  }
  /** The option that sets the limit. */
  readonly limit = 'sendLimit';
  readonly closeCode = 1013;
  constructor(message: string) {
    super(`sendLimit: ${message}`);
  }
}

/**
 * The engine that joins processes could not be reached, was lost, or did not take a message; `cause` is what its client says.
 * Members in this process go on being served, and the link connects again by itself.
 */
export class BackplaneError extends UserError {
  readonly code = 'ERR_BACKPLANE';
  override get name(): string {
    return 'BackplaneError';
  }
  /** The engine, such as `nats`. */
  readonly engine: string;
  constructor(engine: string, cause: Error) {
    super(`backplane ${engine}: ${cause.message}`, { cause });
    this.engine = engine;
  }
}

/** `newServer` was given the name of another server that has not been stopped. */
export class NameTakenError extends UserError {
  readonly code = 'ERR_NAME_TAKEN';
  override get name(): string {
    return 'NameTakenError';
  }
  constructor(name: string) {
    super(
      `a server named ${JSON.stringify(name)} exists already; getServer(${JSON.stringify(name)}) returns it, ` +
        'and another one needs another name',
    );
  }
}

/** No server bears the name. */
export class UnknownServerError extends UserError {
  readonly code = 'ERR_UNKNOWN_SERVER';
  override get name(): string {
    return 'UnknownServerError';
  }
  constructor(name: string, known: readonly string[]) {
    const list =
      known.length === 0
        ? 'there is none yet'
        : `there are ${known.map((n) => JSON.stringify(n)).join(', ')}`;
    super(`no server is named ${JSON.stringify(name)}; ${list}; newServer(name, options) makes one`);
  }
}

/** A defect of Portal. The connection was failed with 1011; the process goes on. */
export class InternalError extends UserError {
  readonly code = 'ERR_INTERNAL';
  override get name(): string {
    return 'InternalError';
  }
  constructor(cause: unknown) {
    super('an impossible state was reached; the connection was failed with 1011', { cause });
  }
}

/** What a log needs to know of an error, beside what it says. */
export interface Facts {
  /** The path's pattern. */
  readonly path: string | undefined;
  /** The client's address. */
  readonly remoteAddress: string | undefined;
  /** The Origin header of its handshake. */
  readonly origin: string | undefined;
}

/** The error of a row of the ladder; `response` is the answer to a handshake that was refused. @internal */
export function errorOf(
  fault: Fault | undefined,
  response: HttpResponse | undefined,
  facts: Facts,
  cause?: Error,
): PortalError {
  return Object.assign(newError(fault, response, cause), facts);
}

function newError(
  fault: Fault | undefined,
  response: HttpResponse | undefined,
  cause: Error | undefined,
): PortalError {
  if (fault === undefined) {
    const { status, body } = response ?? { status: 500 };
    return new HandshakeError(status, typeof body === 'string' ? body.trim() : `status ${status}`);
  }
  const row: FaultRow = faults[fault.name];
  const { reason, told = reason, advice } = fault;
  if (row.error === 'LimitError') return new LimitError(row.limit ?? fault.name, fault.code, told);
  if (row.error === 'SendLimitError') return new SendLimitError(told);
  if (row.error === 'ProtocolError') return new ProtocolError(fault.code, told);
  if (row.error === 'ConnectionLostError') return new ConnectionLostError(told, { cause });
  if (row.error === 'HandshakeError') {
    return Object.assign(new HandshakeError(fault.code, told, advice), {
      reason: fault.name,
      limit: row.limit,
    });
  }
  return new InternalError(cause ?? told);
}

/** How much of a wrong value a message repeats, in characters. */
const SHOWN_LENGTH = 200;

function describe(value: unknown): string {
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'bigint') return `${value}n`;
  // JSON knows no NaN and no Infinity.
  if (typeof value === 'number') return String(value);
  try {
    const text = JSON.stringify(value) ?? String(value);
    return text.length > SHOWN_LENGTH ? `${text.slice(0, SHOWN_LENGTH)}…` : text;
  } catch {
    return `a ${typeof value} that cannot be shown`;
  }
}

const WHERE = 'give the path an onError or subscribe to errors$ of the server';

/** Makes a warning of the process of an error that nobody handles, with the stack that says where it was thrown. */
export function warn(error: unknown): void {
  const isError = error instanceof Error;
  const text = isError ? `${error.name}: ${error.message}` : describe(error);
  const warning = new Error(`unhandled ${text}; to handle it, ${WHERE}`, { cause: error });
  warning.name = 'PortalWarning';
  process.emitWarning(isError ? Object.assign(warning, { detail: error.stack }) : warning);
}
