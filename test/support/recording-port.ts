/**
 * Ports that do nothing but write down what a machine tells them, one line a call. What a production port would do
 * in answer, a test does by sending the events itself.
 */
import { Buffer } from 'node:buffer';
import type { HttpResponse } from '../../src/io/http/http-response.ts';
import type {
  CloseReport,
  ConnectionEvent,
  ConnectionPort,
  ConnectionState,
} from '../../src/machines/connection-ports.ts';
import type { ServerPort, ServerState } from '../../src/machines/server-ports.ts';

/** A report in the words of the specification: `1006 "" lost, server`. */
export function wordsOfReport({ code, reason, wasClean, initiator }: CloseReport): string {
  return `${code} "${reason}" ${wasClean ? 'clean' : 'lost'}, ${initiator}`;
}

export class RecordingConnectionPort implements ConnectionPort {
  readonly inspected: boolean;
  #calls: string[] = [];

  constructor({ inspected = false } = {}) {
    this.inspected = inspected;
  }

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
  read(chunk: Uint8Array, shared: boolean): void {
    this.#calls.push(`read ${words(chunk, shared)}`);
  }
  readOn(by: ConnectionEvent['type']): void {
    this.#calls.push(`readOn by ${by}`);
  }
  deliver(event: ConnectionEvent): void {
    this.#calls.push(`deliver ${event.type}`);
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
  announce(state: ConnectionState, event: ConnectionEvent['type']): void {
    this.#calls.push(`announce ${state} by ${event}`);
  }
  finish(report: CloseReport): void {
    this.#calls.push(`finish ${wordsOfReport(report)}`);
  }
  broke(cause: unknown): void {
    this.#calls.push(`broke ${String(cause)}`);
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
}

function words(chunk: Uint8Array, shared: boolean): string {
  return `${Buffer.from(chunk).toString('latin1')}${shared ? ' (lent)' : ''}`;
}
