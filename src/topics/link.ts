/**
 * The link of one server to an engine, at work: the port of the link machine, and the way by which topics reach other
 * processes. What holds for every engine is done here: when to connect again, which topics to subscribe to, leaving out what
 * comes back, telling of gaps, counting.
 *
 * While the engine is away, what is published for other processes is dropped and counted. When it is back, the members of the
 * topics that are wanted here are told of the gap, and other processes are told of gaps in the topics that this one has
 * published to meanwhile.
 */
import { Buffer } from 'node:buffer';
import { type AnyActorRef, createActor } from 'xstate';
import { type Clock, within } from '../io/time/clock.ts';
import { Ticker, type Waiting } from '../io/time/ticker.ts';
import { type LinkActor, linkMachine } from '../machines/link-machine.ts';
import type { LinkPort, LinkState, LinkStats } from '../machines/link-ports.ts';
import type { Backplane, Envelope, Gap, Remote } from './backplane.ts';

/** Milliseconds before the first attempt to connect again; twice as long after each that fails. */
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 10_000;
/** Milliseconds for which a topic stays subscribed after its last member here has gone: members come back. */
const LINGER_MS = 1_000;
/** Milliseconds that a stop waits for the engine. */
const END_MS = 5_000;
/** Topics that others are told of, when what was published to them is lost. */
const MAX_TOLD = 10_000;

/** What a link needs of its server. */
export interface LinkHost {
  readonly clock: Pick<Clock, 'epochMs' | 'random'>;
  readonly ticker: Ticker;
  /** Names the topics of this server among those of all processes. */
  readonly origin: string;
  /** The actor of the server. */
  readonly parent: AnyActorRef;
  received(topic: string, bytes: Uint8Array, envelope: Envelope): void;
  /** Messages of this topic may be missing. */
  gap(topic: string, gap: Gap): void;
  failed(error: Error): void;
  moved(state: LinkState): void;
}

/** That a topic is wanted here. While it waits, it is not wanted any more, but still subscribed. */
interface Interest extends Waiting {
  /** Milliseconds since 1970. */
  readonly sinceMs: number;
}

/**
 * The link of one server to an engine.
 *
 * Many members: it is the port of the link machine, and the way of topics to other processes; nearly all of them are short.
 */
export class Link implements LinkPort, Remote {
  readonly actor: LinkActor;
  state: LinkState = 'down';
  readonly #backplane: Backplane;
  readonly #host: LinkHost;
  readonly #interests = new Map<string, Interest>();
  readonly #retry: Waiting = { dueTick: -1, onDue: () => this.actor.send({ type: 'timeout.retry' }) };
  readonly #counts = { published: 0, delivered: 0, dropped: 0, reconnects: 0 };
  /** Which connection to the engine counts: what an earlier one tells comes too late. */
  #life = 0;
  #wasUp = false;
  /** Since when the engine is away, in milliseconds since 1970. */
  #awaySinceMs: number | undefined;
  /** Topics that others have missed messages of. */
  readonly #untold = new Set<string>();
  #stopping: { readonly promise: Promise<void>; readonly settle: () => void } | undefined;

  constructor(backplane: Backplane, host: LinkHost) {
    this.#backplane = backplane;
    this.#host = host;
    this.actor = createActor(linkMachine, { input: { port: this }, id: 'backplane', parent: host.parent });
    this.actor.start();
  }

  // ------------------------------------------------------------------ what the server asks for

  start(): void {
    this.actor.send({ type: 'link.start' });
  }

  stop(): void {
    if (this.#stopping === undefined) {
      let settle = () => {};
      const promise = new Promise<void>((resolve) => {
        settle = resolve;
      });
      this.#stopping = { promise, settle };
    }
    this.actor.send({ type: 'link.stop' });
  }

  /** Resolves when the stop that is under way has ended; at once where there is none. */
  get stopped(): Promise<void> {
    return this.#stopping?.promise ?? Promise.resolve();
  }

  get stats(): LinkStats {
    return { state: this.state, topics: this.#interests.size, ...this.#counts };
  }

  // ------------------------------------------------------------------ what topics ask for

  wanted(topic: string): void {
    const known = this.#interests.get(topic);
    if (known !== undefined) {
      this.#host.ticker.forget(known);
      return;
    }
    const interest = {
      sinceMs: this.#host.clock.epochMs(),
      dueTick: -1,
      onDue: () => this.#unsubscribe(topic),
    };
    this.#interests.set(topic, interest);
    if (this.state === 'up') this.#try(() => this.#backplane.subscribe(topic));
  }

  unwanted(topic: string): void {
    const interest = this.#interests.get(topic);
    if (interest === undefined) return;
    const { ticker } = this.#host;
    if (this.state === 'up') ticker.wait(interest, ticker.present + Ticker.ticks(LINGER_MS));
    else this.#interests.delete(topic);
  }

  #unsubscribe(topic: string): void {
    this.#interests.delete(topic);
    if (this.state === 'up') this.#try(() => this.#backplane.unsubscribe(topic));
  }

  publish(topic: string, bytes: Uint8Array, envelope: Envelope): void {
    if (this.state === 'up' && this.#try(() => this.#backplane.publish(topic, bytes, envelope))) {
      this.#counts.published++;
      return;
    }
    this.#counts.dropped++;
    if (this.#untold.size < MAX_TOLD) this.#untold.add(topic);
  }

  /** False when it threw; that is told. */
  #try(task: () => void): boolean {
    try {
      task();
      return true;
    } catch (error) {
      this.#host.failed(asError(error));
      return false;
    }
  }

  // ------------------------------------------------------------------ what the machine asks for

  connect(): void {
    this.#life++;
    const life = this.#life;
    const failed = (error: unknown) => {
      if (life !== this.#life) return;
      this.#life++;
      this.actor.send({ type: 'engine.failed', error: asError(error) });
    };
    const deliver = (topic: string, bytes: Uint8Array, envelope: Envelope) => {
      if (life === this.#life) this.#received(topic, bytes, envelope);
    };
    const troubled = (error: unknown) => {
      if (life === this.#life) this.#host.failed(asError(error));
    };
    const isUp = () => {
      if (life === this.#life) this.actor.send({ type: 'engine.up' });
    };
    new Promise<void>((resolve) => {
      resolve(this.#backplane.start(deliver, failed, troubled));
    }).then(isUp, failed);
  }

  restore(): void {
    this.#counts.reconnects += this.#wasUp && this.#awaySinceMs !== undefined ? 1 : 0;
    this.#wasUp = true;
    for (const topic of this.#interests.keys()) this.#try(() => this.#backplane.subscribe(topic));
  }

  tellGaps(): void {
    const { clock, origin } = this.#host;
    const awaySinceMs = this.#awaySinceMs;
    this.#awaySinceMs = undefined;
    const untold = [...this.#untold];
    this.#untold.clear();
    const to = clock.epochMs();
    for (const topic of untold) {
      const notice = Buffer.from(JSON.stringify({ gap: { from: awaySinceMs ?? to, to } }));
      const envelope = { origin, binary: false, control: true };
      this.#try(() => this.#backplane.publish(topic, notice, envelope));
    }
    if (awaySinceMs === undefined) return;
    for (const [topic, { sinceMs }] of [...this.#interests])
      this.#host.gap(topic, { from: Math.max(awaySinceMs, sinceMs), to });
  }

  wait(attempts: number): void {
    const { ticker, clock } = this.#host;
    const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (attempts - 1));
    ticker.wait(this.#retry, ticker.present + Ticker.ticks(longest * (0.5 + clock.random() / 2)));
  }

  tellFailure(error: Error): void {
    this.#awaySinceMs ??= this.#host.clock.epochMs();
    this.#dropLingering();
    this.#host.failed(error);
  }

  endEngine(): void {
    this.#life++;
    this.#awaySinceMs = undefined;
    this.#untold.clear();
    this.#host.ticker.forget(this.#retry);
    this.#dropLingering();
    const ended = new Promise<void>((resolve) => {
      resolve(this.#backplane.stop());
    }).catch((error) => this.#host.failed(asError(error)));
    const goOn = () => this.actor.send({ type: 'engine.ended' });
    within(END_MS, ended).then(goOn, goOn);
  }

  settleStop(): void {
    this.#stopping?.settle();
    this.#stopping = undefined;
  }

  announce(state: LinkState): void {
    this.state = state;
    this.#host.moved(state);
  }

  /** Topics that nobody wants any more are not subscribed again. */
  #dropLingering(): void {
    for (const [topic, interest] of this.#interests) {
      if (interest.dueTick < 0) continue;
      this.#host.ticker.forget(interest);
      this.#interests.delete(topic);
    }
  }

  // ------------------------------------------------------------------ what comes from the engine

  #received(topic: string, bytes: Uint8Array, envelope: Envelope): void {
    if (envelope.origin === this.#host.origin) return;
    const gap = envelope.control ? readGap(bytes) : undefined;
    if (gap !== undefined) {
      this.#host.gap(topic, gap);
      return;
    }
    this.#counts.delivered++;
    this.#host.received(topic, bytes, envelope);
  }

  /** What an inspector shows in place of this port. */
  toJSON() {
    return { name: this.#backplane.name, ...this.stats };
  }
}

/** The gap that another process tells of; undefined for a notice of something else. */
function readGap(bytes: Uint8Array): Gap | undefined {
  try {
    const { gap } = JSON.parse(Buffer.from(bytes).toString()) as { gap?: Partial<Gap> };
    if (typeof gap?.from !== 'number' || typeof gap.to !== 'number') return undefined;
    return { from: gap.from, to: gap.to };
  } catch {
    return undefined;
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
