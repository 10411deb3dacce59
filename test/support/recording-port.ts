/**
 * Ports that do nothing but write down what a machine tells them, one line a call. What a production port would do
 * in answer, a test does by sending the events itself.
 */
import { Buffer } from 'node:buffer';
import type { FaultName } from '../../src/io/faults.ts';
import type { HttpResponse } from '../../src/io/http/http-response.ts';
import type {
  CloseReport,
  ConnectionEvent,
  ConnectionFacts,
  ConnectionPort,
  ConnectionState,
} from '../../src/machines/connection-ports.ts';
import type { LinkPort, LinkState } from '../../src/machines/link-ports.ts';
import type { ServerPort, ServerState } from '../../src/machines/server-ports.ts';

/** What is recorded in place of a report before the end of a connection begins. */
export const NO_REPORT = 'none yet';

/** A report in the words of the specification: `1006 "" lost, server`. */
export function wordsOfReport(report: CloseReport | undefined): string {
  if (report === undefined) return NO_REPORT;
  const { code, reason, wasClean, initiator } = report;
  return `${code} "${reason}" ${wasClean ? 'clean' : 'lost'}, ${initiator}`;
}

export class RecordingConnectionPort implements ConnectionPort {
  #calls: string[] = [];

  /** The calls since the last time this was asked. */
  takeCalls(): string[] {
    const calls = this.#calls;
    this.#calls = [];
    return calls;
  }

  readHead(chunk: Uint8Array, shared: boolean): void {
    this.#calls.push(`readHead ${words(chunk, shared)}`);
  }
  holdBytes(chunk: Uint8Array, shared: boolean): void {
    this.#calls.push(`holdBytes ${words(chunk, shared)}`);
  }
  acceptHandshake(): void {
    this.#calls.push('acceptHandshake');
  }
  refuseHandshake({ status }: HttpResponse): void {
    this.#calls.push(`refuseHandshake ${status}`);
  }
  refuseFor(fault: FaultName): void {
    this.#calls.push(`refuseFor ${fault}`);
  }
  read(chunk: Uint8Array): void {
    this.#calls.push(`read ${words(chunk, false)}`);
  }
  readOn(): void {
    this.#calls.push('readOn');
  }
  continueReading(): void {
    this.#calls.push('continueReading');
  }
  deliverOpening(): void {
    this.#calls.push('deliverOpening');
  }
  deliverFragment(): void {
    this.#calls.push('deliverFragment');
  }
  deliverMessage(): void {
    this.#calls.push('deliverMessage');
  }
  dropMessages(): void {
    this.#calls.push('dropMessages');
  }
  retryCallback(): void {
    this.#calls.push('retryCallback');
  }
  pauseReading(): void {
    this.#calls.push('pauseReading');
  }
  resumeReading(): void {
    this.#calls.push('resumeReading');
  }
  sendHeartbeat(): void {
    this.#calls.push('sendHeartbeat');
  }
  sendClose(code: number, reason: string): void {
    this.#calls.push(`sendClose ${code} "${reason}"`);
  }
  answerClose(code: number): void {
    this.#calls.push(`answerClose ${code}`);
  }
  failConnection(code: number, reason: string): void {
    this.#calls.push(`failConnection ${code} "${reason}"`);
  }
  endSocket(): void {
    this.#calls.push('endSocket');
  }
  reportFault(fault: FaultName): void {
    this.#calls.push(`reportFault ${fault}`);
  }
  reportLoss(error: Error): void {
    this.#calls.push(`reportLoss ${error.message}`);
  }
  announce(state: ConnectionState, event: ConnectionEvent['type']): void {
    this.#calls.push(`announce ${state} by ${event}`);
  }
  finish(report: CloseReport): void {
    this.#calls.push(`finish ${wordsOfReport(report)}`);
  }
  broke(cause: unknown): void {
    this.#calls.push(`broke ${String(cause)}`);
  }
  toJSON(): ConnectionFacts {
    return { id: 7, path: '/echo', remoteAddress: '127.0.0.1' };
  }
}

export class RecordingServerPort implements ServerPort {
  #calls: string[] = [];

  /** The calls since the last time this was asked. */
  takeCalls(): string[] {
    const calls = this.#calls;
    this.#calls = [];
    return calls;
  }

  listen(): void {
    this.#calls.push('listen');
  }
  closeListener(): void {
    this.#calls.push('closeListener');
  }
  closeConnections(code: number, reason: string): void {
    this.#calls.push(`closeConnections ${code} "${reason}"`);
  }
  terminateConnections(): void {
    this.#calls.push('terminateConnections');
  }
  endLatecomers(): void {
    this.#calls.push('endLatecomers');
  }
  connectionEnded(): void {
    this.#calls.push('connectionEnded');
  }
  connectionBroke(error: unknown): void {
    this.#calls.push(`connectionBroke ${String(error)}`);
  }
  settleStart(): void {
    this.#calls.push('settleStart');
  }
  rejectStart(error: Error | undefined): void {
    this.#calls.push(`rejectStart${error === undefined ? '' : ` for ${error.message}`}`);
  }
  startAfterStop(): void {
    this.#calls.push('startAfterStop');
  }
  settleStop(): void {
    this.#calls.push('settleStop');
  }
  announce(state: ServerState, error?: Error): void {
    this.#calls.push(`announce ${state}${error === undefined ? '' : ` for ${error.message}`}`);
  }
  toJSON(): object {
    return { state: 'listening', connections: 0 };
  }
}

function words(chunk: Uint8Array, shared: boolean): string {
  return `${Buffer.from(chunk).toString('latin1')}${shared ? ' (lent)' : ''}`;
}

export class RecordingLinkPort implements LinkPort {
  #calls: string[] = [];

  /** The calls since the last time this was asked. */
  takeCalls(): string[] {
    const calls = this.#calls;
    this.#calls = [];
    return calls;
  }

  connect(): void {
    this.#calls.push('connect');
  }
  restore(): void {
    this.#calls.push('restore');
  }
  tellGaps(): void {
    this.#calls.push('tellGaps');
  }
  wait(attempts: number): void {
    this.#calls.push(`wait ${attempts}`);
  }
  tellFailure(error: Error): void {
    this.#calls.push(`tellFailure ${error.message}`);
  }
  endEngine(): void {
    this.#calls.push('endEngine');
  }
  settleStop(): void {
    this.#calls.push('settleStop');
  }
  announce(state: LinkState): void {
    this.#calls.push(`announce ${state}`);
  }
  toJSON(): object {
    return { name: 'nats' };
  }
}
