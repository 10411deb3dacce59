/**
 * What the state machine, and somebody who inspects it, are told of a frame that was just decoded.
 */
import { type Fault, type FaultRow, faults } from '../io/faults.ts';
import { readClosePayload } from '../io/frames/close-payload.ts';
import { Decoded, type FrameDecoder } from '../io/frames/frame-decoder.ts';
import { reports } from '../machines/connection-machine.ts';
import type {
  CloseReport,
  ConnectionEvent,
  ConnectionState,
  FrameName,
} from '../machines/connection-ports.ts';
import type { Fragment } from './recipient.ts';

/** What is told of a Close frame and of a failure. */
export interface FrameOwner {
  readonly state: ConnectionState;
  tell(event: ConnectionEvent): void;
  fault(happened: Fault): void;
  /** The end is known, and how: the peer has said goodbye. */
  ends(report: CloseReport): void;
}

/** The peer sent a Close frame with this payload. */
export function tellClose(owner: FrameOwner, control: Uint8Array): void {
  const payload = readClosePayload(control);
  if ('fault' in payload) {
    tellFailure(owner, payload.fault);
    return;
  }
  const event = { type: 'close.received', ...payload } as const;
  const { state } = owner;
  owner.tell(event);
  owner.ends(state === 'closing' ? reports.noteTheirAnswer(event) : reports.noteTheirClose(event));
}

/** The peer broke a rule or a limit. */
export function tellFailure(owner: FrameOwner, fault: Fault): void {
  const { code, reason } = fault;
  const row: FaultRow = faults[fault.name];
  owner.fault(fault);
  owner.tell({ type: row.limit === undefined ? 'protocol.failed' : 'limit.breached', code, reason });
}

/** The event for the first or the last frame of a fragmented message. */
export function fragmentEvent(decoder: FrameDecoder): ConnectionEvent {
  const byteLength = decoder.payloadBytes;
  if (!decoder.first) return { type: 'fragment.end', byteLength, opcode: 'continuation' };
  return { type: 'fragment.begin', byteLength, opcode: decoder.text ? 'text' : 'binary' };
}

/** The event for a frame that changed no state. It is sent only while somebody inspects. */
export function inspectedEvent(decoded: Decoded, decoder: FrameDecoder): ConnectionEvent {
  const opcode = frameName(decoded, decoder.text);
  return { type: 'read.continue', opcode, byteLength: decoder.payloadBytes };
}

function frameName(decoded: Decoded, text: boolean): FrameName {
  if (decoded === Decoded.PING) return 'ping';
  if (decoded === Decoded.PONG) return 'pong';
  if (decoded === Decoded.FRAGMENT) return 'continuation';
  return text ? 'text' : 'binary';
}

/** The fragment that was just read. */
export function fragmentOf(decoder: FrameDecoder): Fragment {
  const { first, final, text } = decoder;
  return { data: decoder.takeFragment(), opcode: text ? 'text' : 'binary', first, final };
}
