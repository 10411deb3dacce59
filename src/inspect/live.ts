/**
 * What the live page is fed with: a sample of the server several times a second, never each event.
 *
 * A page says which rows it shows and which connection is chosen. It gets the counts of all connections, those rows, and
 * the chosen connection's events since the last sample. So the cost does not grow with the traffic. It grows with the number
 * of connections, because a sample looks through all of them; therefore samples become rarer when they take long.
 */
import type { AnyActorRef, AnyMachineSnapshot, InspectionEvent } from 'xstate';
import type { Connection } from '../api/connection/connection.ts';
import { discreetReport, isOwnActor } from '../api/inspection/inspection.ts';
import type { Message } from '../connection/recipient.ts';
import type { Session } from '../connection/session.ts';
import { encodeClosePayload, toCloseCode } from '../io/frames/close-payload.ts';
import type { Clock } from '../io/time/clock.ts';
import type { Core } from '../server/core.ts';
import { pathOf, snapshotOf } from './wire.ts';

/** Milliseconds between two samples. */
export const SAMPLE_MS = 200;
/** The greatest share of the time that samples may take. */
const SHARE = 0.05;
/** Events that are remembered, of all connections together. */
const REMEMBERED = 4096;
/** Events of the chosen one that a sample carries at most; the newest. */
const EVENTS_A_SAMPLE = 200;
const MAX_ROWS = 200;
/** While more bytes than this wait for a page that does not read, it gets no sample. */
const MAX_WAITING_BYTES = 256 * 1024;
/** The id under which the server's own machine is chosen. */
const SERVER_ID = 0;

/** One event of one machine, with what it did. */
export interface Entry {
  readonly id: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly event: string;
  readonly from: string;
  readonly to: string;
  readonly bytes?: number;
  readonly opcode?: string;
}

interface Viewer {
  readonly page: Connection;
  state: string;
  path: string;
  from: number;
  count: number;
  chosen: number;
  session: Session | undefined;
  /** The number of the next entry to send. */
  next: number;
}

export class Live {
  readonly #watched: Core;
  readonly #clock: Clock;
  readonly #viewers = new Map<Connection, Viewer>();
  readonly #values = new WeakMap<object, string>();
  /** The newest entries; the number of the first is `#dropped`. */
  #entries: Entry[] = [];
  #dropped = 0;
  #stop: (() => void) | undefined;
  #rest = 0;

  constructor(watched: Core, clock: Clock) {
    this.#watched = watched;
    this.#clock = clock;
  }

  // ------------------------------------------------------------------ what happened

  /** Takes an inspection event: each snapshot of a server or a connection tells that an event has been handled. */
  hear(inspected: InspectionEvent): void {
    const actor = inspected.actorRef as AnyActorRef;
    if (!isOwnActor(actor)) return;
    if (inspected.type === '@xstate.actor') {
      // The actor may have existed before: the first event that is seen here finds it in its present state.
      const present = snapshotOf(actor);
      if (present !== undefined) this.#values.set(actor, pathOf(present.value));
    }
    if (inspected.type !== '@xstate.snapshot') return;
    const snapshot = inspected.snapshot as AnyMachineSnapshot;
    const to = pathOf(snapshot.value);
    const from = this.#values.get(actor) ?? to;
    this.#values.set(actor, to);
    const { type, byteLength, opcode } = inspected.event as {
      type: string;
      byteLength?: number;
      opcode?: string;
    };
    if (type === 'xstate.init') return;
    const id = (snapshot.context as { port: { id?: number } }).port.id ?? SERVER_ID;
    this.#entries.push({
      id,
      at: this.#clock.epochMs(),
      event: type,
      from,
      to,
      ...(byteLength === undefined ? {} : { bytes: byteLength }),
      ...(opcode === undefined ? {} : { opcode }),
    });
    if (this.#entries.length < 2 * REMEMBERED) return;
    this.#entries = this.#entries.slice(REMEMBERED);
    this.#dropped += REMEMBERED;
  }

  // ------------------------------------------------------------------ pages

  join(page: Connection): void {
    const viewer: Viewer = {
      page,
      state: '',
      path: '',
      from: 0,
      count: 0,
      chosen: -1,
      session: undefined,
      next: 0,
    };
    this.#viewers.set(page, viewer);
    this.#stop ??= this.#clock.every(SAMPLE_MS, () => this.#beat());
    this.#sample(viewer);
  }

  leave(page: Connection): void {
    this.#viewers.delete(page);
    if (this.#viewers.size > 0) return;
    this.#stop?.();
    this.#stop = undefined;
  }

  /** Does what a page asks for; if that cannot be done, the answer is `problem`. */
  receive(page: Connection, text: Message): void {
    const viewer = this.#viewers.get(page);
    if (viewer === undefined) return;
    try {
      this.#do(viewer, JSON.parse(String(text)) as Readonly<Record<string, unknown>>);
      this.#sample(viewer);
    } catch (error) {
      page.send(JSON.stringify({ type: 'problem', message: (error as Error).message }));
    }
  }

  #do(viewer: Viewer, request: Readonly<Record<string, unknown>>): void {
    switch (request.type) {
      case 'view':
        viewer.state = String(request.state ?? '');
        viewer.path = String(request.path ?? '');
        viewer.from = whole(request.from, Number.MAX_SAFE_INTEGER);
        viewer.count = whole(request.count, MAX_ROWS);
        return;
      case 'choose':
        viewer.chosen = typeof request.id === 'number' ? request.id : -1;
        viewer.session = this.#find(viewer.chosen);
        viewer.next = 0;
        return;
      case 'close': {
        const session = this.#find(request.id as number);
        if (session === undefined) throw new Error('that connection has gone');
        const code = toCloseCode(request.code as number);
        const reason = String(request.reason ?? '');
        encodeClosePayload(code, reason);
        session.requestClose(code, reason);
        return;
      }
      default:
        throw new Error(`no such request: ${String(request.type)}`);
    }
  }

  #find(id: number): Session | undefined {
    for (const session of this.#watched.sessions) if (session.id === id) return session;
    return undefined;
  }

  // ------------------------------------------------------------------ samples

  #beat(): void {
    if (this.#rest > 0) {
      this.#rest--;
      return;
    }
    const begun = this.#clock.now();
    for (const viewer of this.#viewers.values()) this.#sample(viewer);
    const took = this.#clock.now() - begun;
    this.#rest = Math.min(25, Math.floor(took / SHARE / SAMPLE_MS));
  }

  #sample(viewer: Viewer): void {
    const { page, chosen } = viewer;
    if (page.bufferedAmount > MAX_WAITING_BYTES) return;
    const { actor } = this.#watched;
    page.send(
      JSON.stringify({
        type: 'sample',
        at: this.#clock.epochMs(),
        stats: this.#watched.stats(),
        server: pathOf(actor.getSnapshot().value),
        ...this.#rows(viewer),
        chosen: chosen < 0 ? null : this.#chosen(viewer),
      }),
    );
  }

  #rows({ state, path, from, count }: Viewer) {
    const rows = [];
    let total = 0;
    for (const session of this.#watched.sessions) {
      if (state !== '' && session.state !== state) continue;
      const asked = session.accepted?.head.path ?? '';
      if (path !== '' && !asked.includes(path)) continue;
      if (total >= from && rows.length < count) {
        const { id, remoteAddress } = session;
        const { messagesIn, messagesOut } = session.stats();
        rows.push({ id, path: asked, remoteAddress, state: session.state, messagesIn, messagesOut });
      }
      total++;
    }
    return { total, from, rows };
  }

  #chosen(viewer: Viewer) {
    const { chosen: id, session } = viewer;
    const entries: Entry[] = [];
    let skipped = 0;
    for (let index = Math.max(0, viewer.next - this.#dropped); index < this.#entries.length; index++) {
      const entry = this.#entries[index] as Entry;
      if (entry.id === id) entries.push(entry);
    }
    viewer.next = this.#dropped + this.#entries.length;
    if (entries.length > EVENTS_A_SAMPLE) {
      skipped = entries.length - EVENTS_A_SAMPLE;
      entries.splice(0, skipped);
    }
    if (id === SERVER_ID) {
      return { id, value: pathOf(this.#watched.actor.getSnapshot().value), entries, skipped };
    }
    if (session === undefined) return { id, value: null, entries, skipped };
    return {
      id,
      value: pathOf(session.machine.value),
      path: session.accepted?.head.path ?? '',
      remoteAddress: session.remoteAddress,
      stats: session.stats(),
      report: session.report === undefined ? null : discreetReport(session.report),
      entries,
      skipped,
    };
  }
}

function whole(value: unknown, most: number): number {
  return Number.isInteger(value) ? Math.min(Math.max(value as number, 0), most) : 0;
}
