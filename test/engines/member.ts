// A process with a server, and members of its topics, as the tests of engines use them.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';
import type { LinkStats } from '../../src/machines/link-ports.ts';
import type { Gap } from '../../src/topics/backplane.ts';

export type ClientName = 'nats' | 'ioredis' | 'redis';

/** Of the link, and how many messages the engine has delivered, by topic. */
type Stats = LinkStats & { readonly byTopic: Readonly<Record<string, number>> };

interface Told {
  readonly port?: number;
  readonly state?: string;
  readonly error?: string;
  readonly gap?: Gap;
  readonly stats?: Stats;
}

const program = fileURLToPath(new URL('server.mjs', import.meta.url));

/** One process. */
export class Member {
  readonly child: ChildProcess;
  readonly told: Told[] = [];
  readonly #members: Peer[] = [];
  #said = '';

  /** `ping`: milliseconds between pings of the engine; by default so long that a busy machine fails none. */
  constructor(engine: string, client: ClientName, ping = 60_000) {
    const env = { ...process.env, ENGINE: engine, CLIENT: client, PING: `${ping}` };
    this.child = fork(program, { env, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    this.child.setMaxListeners(0); // many wait for what it tells
    this.child.stderr?.on('data', (data) => {
      this.#said += data;
    });
    this.child.on('message', (message) => void this.told.push(message as Told));
  }

  /** The first thing that it has told, or tells, since `from`, that fits. */
  async hears(fits: (told: Told) => boolean, from = 0): Promise<Told> {
    for (;;) {
      const found = this.told.slice(from).find(fits);
      if (found !== undefined) return found;
      if (!this.child.connected) throw new Error(`it has ended: ${this.#said}`);
      await Promise.race([once(this.child, 'message'), once(this.child, 'disconnect')]);
    }
  }

  async is(state: string, from = 0): Promise<void> {
    await this.hears((told) => told.state === state, from);
  }

  async stats(): Promise<Stats> {
    const from = this.told.length;
    this.child.send({});
    const { stats } = await this.hears((told) => told.stats !== undefined, from);
    return stats as Stats;
  }

  publish(topic: string, text: string, except?: string): void {
    this.child.send({ publish: { topic, text, except } });
  }

  async join(topic: string): Promise<Peer> {
    const { port } = await this.hears((told) => told.port !== undefined);
    const peer = new Peer(new WebSocket(`ws://127.0.0.1:${port}/${topic}`));
    this.#members.push(peer);
    await peer.begun();
    return peer;
  }

  /** Stops the server, which closes its members; gives the exit code of the process. */
  async end(): Promise<number | null> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return this.child.exitCode;
    const ended = once(this.child, 'close');
    if (this.child.connected) this.child.send({ stop: true });
    const [code] = await ended;
    await Promise.all(this.#members.map((peer) => peer.gone));
    return code;
  }

  async kill(): Promise<void> {
    const ended = once(this.child, 'close');
    this.child.kill('SIGKILL');
    await ended;
    await Promise.all(this.#members.map((peer) => peer.gone));
  }
}

/** A member of a topic. */
export class Peer {
  uid = '';
  /** All that came, text as text, binary as a list of numbers. */
  readonly heard: (string | number[])[] = [];
  readonly gone: Promise<unknown>;
  readonly #socket: WebSocket;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('error', () => {});
    this.gone = once(socket, 'close').catch(() => {});
    socket.on('message', (data: Buffer, isBinary) => {
      const message = isBinary ? [...data] : data.toString();
      if (this.uid === '') this.uid = String(message);
      else this.heard.push(message);
    });
  }

  async begun(): Promise<void> {
    while (this.uid === '') await once(this.#socket, 'message');
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  send(message: string | Uint8Array): void {
    this.#socket.send(message);
  }

  /** Resolves when this message has come. */
  async hears(message: string): Promise<void> {
    while (!this.heard.includes(message)) await once(this.#socket, 'message');
  }
}

let markers = 0;

/**
 * Sends markers until one has come to every peer: what was sent before is there, or lost. They are not in what this returns: all
 * else that each has heard, which is forgotten by that.
 */
export async function settle(from: Peer, to: readonly Peer[]): Promise<(string | number[])[][]> {
  for (const peer of to) {
    markers++;
    const marker = `marker ${markers}`;
    let isThere = false;
    const arrived = peer.hears(marker).then(() => {
      isThere = true;
    });
    while (!isThere) {
      from.send(marker);
      await Promise.race([arrived, new Promise((resolve) => setTimeout(resolve, 20))]);
    }
  }
  return to.map((peer) => peer.heard.splice(0).filter((each) => !String(each).startsWith('marker ')));
}
