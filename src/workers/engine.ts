/**
 * The engine between the workers of a program: it talks to the primary over IPC. All that is published in a turn of the event
 * loop leaves in one message.
 */
import { nextTurn } from '../io/time/clock.ts';
import type { WorkerProcess } from '../io/worker-process.ts';
import type { Backplane, Deliver, Envelope } from '../topics/backplane.ts';
import { channelOf, topicOf } from '../topics/engine-names.ts';
import { decodeEnvelope, encodeEnvelope } from '../topics/envelope.ts';
import { type Delivered, type FromWorker, isOurs, type Operation, type ToWorker } from './protocol.ts';

/** Bytes that may wait for the primary. Over it the engine has failed, and what waits is all that is sent. */
const MOST_WAITING = 64 * 1024 * 1024;

/** How many engines this process has had: each has its number on the channel. */
let engines = 0;

/** What an engine has while it is started. */
interface Started {
  readonly deliver: Deliver;
  readonly failed: (error: Error) => void;
  /** The primary has answered; or it will not. */
  begun(): void;
  rejected(error: Error): void;
}

export class WorkersEngine implements Backplane {
  readonly name = 'workers';
  readonly #process: WorkerProcess;
  readonly #namespace: string;
  readonly #mostWaiting: number;
  readonly #engine = ++engines;
  #started: Started | undefined;
  #unlisten: (() => void) | undefined;
  #operations: Operation[] = [];
  #waiting = 0;

  constructor(process: WorkerProcess, namespace: string, mostWaiting = MOST_WAITING) {
    this.#process = process;
    this.#namespace = namespace;
    this.#mostWaiting = mostWaiting;
  }

  start(deliver: Deliver, failed: (error: Error) => void): Promise<void> {
    this.#operations = [];
    this.#unlisten ??= this.#process.listen((message) => this.#take(message));
    return new Promise((resolve, reject) => {
      this.#started = { deliver, failed, begun: resolve, rejected: reject };
      this.#send({ portal: 'begin', engine: this.#engine }, reject);
    });
  }

  async stop(): Promise<void> {
    this.#flush();
    this.#started?.rejected(new Error('the engine was stopped'));
    this.#started = undefined;
    this.#unlisten?.();
    this.#unlisten = undefined;
    await new Promise<void>((resolve) => {
      this.#process.send({ portal: 'end', engine: this.#engine }, () => resolve());
    });
  }

  subscribe(topic: string): void {
    this.#add(['+', channelOf(this.#namespace, topic)]);
  }

  unsubscribe(topic: string): void {
    this.#add(['-', channelOf(this.#namespace, topic)]);
  }

  publish(topic: string, bytes: Uint8Array, envelope: Envelope): void {
    this.#add([channelOf(this.#namespace, topic), encodeEnvelope(envelope, bytes)]);
  }

  #add(operation: Operation): void {
    if (this.#started === undefined) return;
    this.#operations.push(operation);
    if (this.#operations.length === 1) nextTurn(() => this.#flush());
  }

  #flush(): void {
    const list = this.#operations;
    if (this.#started === undefined || list.length === 0) return;
    this.#operations = [];
    const bytes = list.reduce((sum, [first, second]) => sum + first.length + second.length, 0);
    if (this.#waiting + bytes > this.#mostWaiting) {
      this.#fail(new Error(`more than ${this.#mostWaiting} bytes wait for the primary of the workers`));
      return;
    }
    this.#waiting += bytes;
    const message: FromWorker = { portal: 'operations', engine: this.#engine, list };
    this.#process.send(message, (error) => {
      this.#waiting -= bytes;
      if (error !== null) this.#fail(error);
    });
  }

  #send(message: FromWorker, failed: (error: Error) => void): void {
    this.#process.send(message, (error) => {
      if (error !== null) failed(error);
    });
  }

  #fail(error: Error): void {
    const started = this.#started;
    this.#started = undefined;
    started?.failed(error);
  }

  #take(message: unknown): void {
    if (!isOurs(message)) return;
    const told = message as ToWorker;
    if (told.portal === 'stop' || told.engine !== this.#engine) return;
    if (told.portal === 'begun') this.#started?.begun();
    else if (told.portal === 'lost') this.#fail(new Error('this worker took its messages too slowly'));
    else if (told.portal === 'deliver') this.#deliver(told.list);
  }

  #deliver(list: Delivered): void {
    for (let at = 0; at < list.length; at += 2) {
      const decoded = decodeEnvelope(list[at + 1] as Uint8Array);
      if (decoded === undefined) continue;
      const topic = topicOf(this.#namespace, list[at] as string);
      this.#started?.deliver(topic, decoded.payload, decoded.envelope);
    }
  }
}

/** The engine of a program that runs as one process: nobody else is there. */
export const ALONE: Backplane = {
  name: 'workers',
  start: async () => {},
  stop: async () => {},
  subscribe() {},
  unsubscribe() {},
  publish() {},
};
