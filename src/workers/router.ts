/**
 * The primary's part in topics: it knows which engine of which worker is interested in which subject, and passes a message on
 * to those alone. What it passes on it does not read.
 */
import type { FromWorker, ToWorker } from './protocol.ts';

/** Bytes that may wait for one worker. One that is over it has been too slow: its engines begin anew. */
const MOST_WAITING = 64 * 1024 * 1024;

/** A worker, as messages go to it. */
export interface RoutedWorker {
  /** Calls `done` when the message has left. */
  send(message: ToWorker, done: () => void): void;
}

/** An engine of a worker. */
interface Client {
  readonly worker: Line;
  readonly engine: number;
  readonly subjects: Set<string>;
  /** What it gets of the operations that are being done. */
  due: (string | Uint8Array)[] | undefined;
}

/** The way to a worker. */
interface Line {
  readonly to: RoutedWorker;
  readonly clients: Map<number, Client>;
  waiting: number;
}

type Operations = Extract<FromWorker, { portal: 'operations' }>['list'];

export class Router {
  readonly #lines = new Map<RoutedWorker, Line>();
  readonly #interested = new Map<string, Set<Client>>();
  readonly #mostWaiting: number;

  constructor(mostWaiting = MOST_WAITING) {
    this.#mostWaiting = mostWaiting;
  }

  /** How many subjects somebody is interested in. */
  get size(): number {
    return this.#interested.size;
  }

  /** A worker has said something of its engines. */
  take(worker: RoutedWorker, message: FromWorker): void {
    const { portal } = message;
    if (portal === 'begin') this.#begin(worker, message.engine);
    else if (portal === 'end') this.#end(this.#client(worker, message.engine));
    else if (portal === 'operations') this.#do(this.#client(worker, message.engine), message.list);
  }

  /** A worker has ended: what it was interested in is forgotten. */
  forget(worker: RoutedWorker): void {
    for (const client of this.#lines.get(worker)?.clients.values() ?? []) this.#end(client);
    this.#lines.delete(worker);
  }

  #client(worker: RoutedWorker, engine: number): Client | undefined {
    return this.#lines.get(worker)?.clients.get(engine);
  }

  #begin(to: RoutedWorker, engine: number): void {
    const worker = this.#lines.get(to) ?? { to, clients: new Map(), waiting: 0 };
    this.#lines.set(to, worker);
    this.#end(worker.clients.get(engine));
    worker.clients.set(engine, { worker, engine, subjects: new Set(), due: undefined });
    to.send({ portal: 'begun', engine }, () => {});
  }

  #end(client: Client | undefined): void {
    if (client === undefined) return;
    for (const subject of client.subjects) this.#unsubscribe(client, subject);
    client.worker.clients.delete(client.engine);
  }

  #unsubscribe(client: Client, subject: string): void {
    client.subjects.delete(subject);
    const clients = this.#interested.get(subject);
    clients?.delete(client);
    if (clients?.size === 0) this.#interested.delete(subject);
  }

  #subscribe(client: Client, subject: string): void {
    client.subjects.add(subject);
    const clients = this.#interested.get(subject);
    if (clients === undefined) this.#interested.set(subject, new Set([client]));
    else clients.add(client);
  }

  /** All that goes to one engine leaves in one message. */
  #do(sender: Client | undefined, operations: Operations): void {
    // It was lost meanwhile, and has been told so.
    if (sender === undefined) return;
    const receivers = new Set<Client>();
    for (const [first, second] of operations) {
      if (typeof second !== 'string') {
        for (const client of this.#interested.get(first) ?? []) {
          if (client === sender) continue;
          client.due ??= [];
          client.due.push(first, second);
          receivers.add(client);
        }
      } else if (first === '+') this.#subscribe(sender, second);
      else this.#unsubscribe(sender, second);
    }
    for (const client of receivers) this.#deliver(client);
  }

  #deliver(client: Client): void {
    const { worker, engine, due: list = [] } = client;
    client.due = undefined;
    const bytes = list.reduce((sum, each) => sum + each.length, 0);
    if (worker.waiting + bytes > this.#mostWaiting) {
      this.#end(client);
      worker.to.send({ portal: 'lost', engine }, () => {});
      return;
    }
    worker.waiting += bytes;
    worker.to.send({ portal: 'deliver', engine, list }, () => {
      worker.waiting -= bytes;
    });
  }
}
