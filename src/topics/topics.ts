/**
 * The topics of one server: who is in which, and what is published to whom.
 *
 * Neither a topic nor a member costs anything until somebody joins: a room is made with its first member or listener and
 * dropped with the last (with the last kept message, where it has a history), and only members that have joined stand in `#joined`.
 * Joining, leaving and publishing take a time that does not depend on how many topics there are.
 */
import { randomId } from '../io/random-id.ts';
import type { Ticker } from '../io/time/ticker.ts';
import { isUnwantedPromise } from '../io/values.ts';
import { contentOf, type EncodedMessage, encodeContent } from '../io/writing/encoded-message.ts';
import type { Envelope, Gap, Remote } from './backplane.ts';
import { Histories } from './histories.ts';
import { positionText } from './history.ts';
import { checkSize, type JoinRequest, welcome } from './joining.ts';
import type { Member, PublishReport, Rule, Watcher } from './member.ts';
import { checkTopicName, shownName } from './names.ts';
import { Presence } from './presence.ts';
import { type Delivery, Room, type RoomOwner } from './room.ts';

export interface TopicLimits {
  /** Topics that one member may be in. */
  readonly maxTopics: number;
  /** Characters of a name. */
  readonly maxTopicLength: number;
  /** Bytes that may wait for one member. */
  readonly sendLimit: number;
  /** Bytes that all histories may keep. */
  readonly historyBudget: number;
  readonly overflow: 'close' | 'drop' | 'drop-oldest';
}

/** What topics need of their server. */
export interface TopicsHost<M extends Member> {
  readonly limits: TopicLimits;
  readonly clock: { now(): number };
  readonly ticker: Ticker;
  /** What holds for a topic of this name. */
  ruleOf(name: string): Rule<M> | undefined;
  /** A number for what happens now. Who begins to look on after it is not told of that. */
  beginDelivery(): number;
  /** Runs a task once, after what is happening in this turn of the event loop. */
  nextTurn(task: () => void): void;
  /** A member could not be given a message, or one came that nobody can be given. */
  failed(error: unknown): void;
}

/** How a message is published. */
export interface Publication {
  /** The member that does not get it: itself, or its `uid`. */
  readonly except?: Member | string | undefined;
  /** It takes the place of a message of the same key that waits for a slow member. */
  readonly key?: string | undefined;
}

const FOR_NOBODY: PublishReport = Object.freeze({ sent: 0, queued: 0, dropped: 0 });
const NO_ROOMS: ReadonlySet<never> = new Set();

/**
 * The topics of one server.
 *
 * Many members: joining, publishing, listening and what comes from elsewhere all concern the same map of rooms.
 */
export class Topics<M extends Member> implements RoomOwner<M> {
  /** Names this server among all that share an engine. */
  readonly origin = randomId();
  /** The way to other processes; undefined: there are none. */
  remote: Remote | undefined;
  readonly #host: TopicsHost<M>;
  readonly #rooms = new Map<string, Room<M>>();
  readonly #joined = new Map<M, Set<Room<M>>>();
  readonly #histories: Histories<M>;
  /** Rooms whose presence has changed in this turn. */
  readonly #changed = new Set<Room<M>>();

  constructor(host: TopicsHost<M>) {
    this.#host = host;
    this.#histories = new Histories(host, this, this.origin);
  }

  /** How many topics there are now. */
  get size(): number {
    return this.#rooms.size;
  }

  /** The room of a topic that is in use. */
  room(name: string): Room<M> | undefined {
    return this.#rooms.get(name);
  }

  /** The rooms that a member is in. */
  roomsOf(member: M): ReadonlySet<Room<M>> {
    return this.#joined.get(member) ?? NO_ROOMS;
  }

  /** What names this member among those of all processes. */
  uidOf(member: Member): string {
    return `${this.origin}.${member.id}`;
  }

  // ------------------------------------------------------------------ joining and leaving

  /**
   * False when the member is in it already, or takes no more messages.
   * @throws RangeError for a name that may not be, and for one topic too many; what functions of the user throw.
   */
  join(member: M, name: string, request?: JoinRequest): boolean {
    const known = this.#rooms.get(name);
    if (known === undefined) this.checkName(name);
    if (!member.isOpen || known?.members.has(member)) return false;
    this.#checkCount(member, name);
    const room = known ?? this.#open(name);
    room.entering++;
    try {
      room.settle();
      return this.#enter(room, member, request);
    } finally {
      room.entering--;
      this.#dropUnused(room);
    }
  }

  /** `show` and `first` are users' functions: they may throw, close the connection, or have it join. */
  #enter(room: Room<M>, member: M, request: JoinRequest | undefined): boolean {
    const { clock, limits } = this.#host;
    const { show } = room.rule ?? {};
    if (show !== undefined) this.#show(room, member, shownBy(show, member, room.name));
    let isIn = false;
    try {
      if (request !== undefined) {
        welcome(room, member, request, { nowMs: clock.now(), limits });
        if (request.positions) this.#histories.measure(room);
      }
      isIn = member.isOpen;
      if (isIn && !room.members.has(member)) this.#checkCount(member, room.name);
    } catch (error) {
      isIn = false;
      throw error;
    } finally {
      if (!isIn && !room.members.has(member)) this.#hide(room, member);
    }
    if (!isIn || room.members.has(member)) return false;
    room.members.add(member);
    this.#roomsOf(member).add(room);
    if (request?.positions && room.history !== undefined) {
      room.stamped ??= new Set();
      room.stamped.add(member);
    }
    this.#tell(room, (watcher, delivery) => watcher.joined?.(member, delivery));
    return true;
  }

  /** False when the member was not in it. */
  leave(member: M, name: string): boolean {
    const room = this.#rooms.get(name);
    if (room === undefined || !room.members.has(member)) return false;
    const rooms = this.#joined.get(member);
    rooms?.delete(room);
    if (rooms?.size === 0) this.#joined.delete(member);
    this.#exit(room, member);
    return true;
  }

  /** The member takes no more messages. */
  leaveAll(member: M): void {
    const rooms = this.#joined.get(member);
    if (rooms === undefined) return;
    this.#joined.delete(member);
    for (const room of rooms) this.#exit(room, member);
  }

  /** Those who look on may have had the member leave already. */
  #exit(room: Room<M>, member: M): void {
    if (!room.members.delete(member)) return;
    room.stamped?.delete(member);
    if (room.stamped?.size === 0) room.stamped = undefined;
    this.#hide(room, member);
    this.#tell(room, (watcher, delivery) => watcher.left?.(member, delivery));
    this.#dropUnused(room);
  }

  #tell(room: Room<M>, event: (watcher: Watcher<M>, delivery: number) => void): void {
    if (room.watchers === undefined) return;
    const delivery = this.#host.beginDelivery();
    room.tell((watcher) => event(watcher, delivery));
  }

  #roomsOf(member: M): Set<Room<M>> {
    let rooms = this.#joined.get(member);
    if (rooms === undefined) {
      rooms = new Set();
      this.#joined.set(member, rooms);
    }
    return rooms;
  }

  /** @throws RangeError for what is no name of a topic. */
  checkName(name: unknown): void {
    checkTopicName(name, this.#host.limits.maxTopicLength);
  }

  #checkCount(member: M, name: string): void {
    const { maxTopics } = this.#host.limits;
    if (this.roomsOf(member).size < maxTopics) return;
    throw new RangeError(
      `connection ${member.id} cannot join ${shownName(name)}: it is in ${maxTopics} topics, and the option maxTopics is ${maxTopics}`,
    );
  }

  // ------------------------------------------------------------------ rooms

  #open(name: string): Room<M> {
    const rule = this.#host.ruleOf(name);
    const room = new Room(name, rule, this);
    if (rule?.history !== undefined) room.history = this.#histories.begin(rule.history);
    this.#rooms.set(name, room);
    this.remote?.wanted(name);
    return room;
  }

  #dropUnused(room: Room<M>): void {
    if (room.isInUse || this.#rooms.get(room.name) !== room) return;
    this.#rooms.delete(room.name);
    this.remote?.unwanted(room.name);
  }

  expired(room: Room<M>): void {
    this.#histories.expire(room);
    this.#dropUnused(room);
  }

  failed(error: unknown): void {
    this.#host.failed(error);
  }

  // ------------------------------------------------------------------ publishing

  /**
   * Gives a message to the members here, and then to other processes.
   * @throws RangeError for a name that may not be, and for a message that is larger than `sendLimit`, with its position
   *   where a member here asked for that (`overflow: 'close'`).
   */
  publish(name: string, message: EncodedMessage, { except, key }: Publication = {}): PublishReport {
    checkSize(message, this.#host.limits);
    let room = this.#rooms.get(name);
    if (room === undefined) {
      this.checkName(name);
      if (this.#host.ruleOf(name)?.history !== undefined) room = this.#open(name);
    }
    if (room === undefined) {
      this.#publishElsewhere(name, message, except, key);
      return FOR_NOBODY;
    }
    return this.#deliver(room, message, { except, key }, this.#finishOwn(except));
  }

  /** A message that another process has published. */
  received(name: string, bytes: Uint8Array, envelope: Envelope): void {
    if (envelope.origin === this.origin || envelope.control) return;
    const room = this.#rooms.get(name);
    if (room === undefined) return;
    const message = encodeContent({ bytes, binary: envelope.binary });
    const delivery = this.#host.beginDelivery();
    try {
      this.#deliver(room, message, envelope, () => tellPublished(room, message, delivery));
    } catch (error) {
      this.failed(error); // it is too large with its position
    }
  }

  /** Messages of other processes may be missing. */
  gap(name: string, gap: Gap): void {
    const delivery = this.#host.beginDelivery();
    this.#rooms.get(name)?.tell((watcher) => watcher.gap?.(gap, delivery));
  }

  #deliver(
    room: Room<M>,
    message: EncodedMessage,
    { except, key }: Publication,
    finish: Delivery<M>['finish'],
  ): PublishReport {
    room.settle();
    const report = { sent: 0, queued: 0, dropped: 0 };
    try {
      const stamped = room.history && this.#histories.keep(room, room.history, message);
      room.deliver({ message, stamped, key, except: this.#idOf(except), report, finish });
    } finally {
      this.#dropUnused(room);
    }
    return report;
  }

  /** What follows when all members here have a message that was published here. */
  #finishOwn(except: Publication['except']): Delivery<M>['finish'] {
    const delivery = this.#host.beginDelivery();
    return (room, { message, key }) => {
      this.#publishElsewhere(room.name, message, except, key);
      tellPublished(room, message, delivery);
    };
  }

  #publishElsewhere(
    name: string,
    message: EncodedMessage,
    except: Publication['except'],
    key: string | undefined,
  ): void {
    if (this.remote === undefined) return;
    const { bytes, binary } = contentOf(message);
    const uid = typeof except === 'object' ? this.uidOf(except) : except;
    this.remote.publish(name, bytes, { origin: this.origin, binary, except: uid, key });
  }

  /** The `id` of a member here. */
  #idOf(except: Publication['except']): number | undefined {
    if (typeof except !== 'string') return except?.id;
    const at = except.lastIndexOf('.');
    return except.slice(0, at) === this.origin ? Number(except.slice(at + 1)) : undefined;
  }

  /** Where the history of a topic stands; undefined where none is kept. */
  positionOf(name: string): string | undefined {
    const history = this.#rooms.get(name)?.history;
    return history && positionText(history.position);
  }

  // ------------------------------------------------------------------ listening, and presence

  /** Tells somebody what happens in a topic; returns what ends that. */
  watch(name: string, watcher: Watcher<M>): () => void {
    const known = this.#rooms.get(name);
    if (known === undefined) this.checkName(name);
    const room = known ?? this.#open(name);
    room.watchers ??= new Set();
    room.watchers.add(watcher);
    return () => {
      if (!room.watchers?.delete(watcher)) return;
      if (room.watchers.size === 0) room.watchers = undefined;
      this.#dropUnused(room);
    };
  }

  #show(room: Room<M>, member: M, shown: unknown): void {
    room.presence ??= new Presence();
    room.presence.show(this.uidOf(member), shown, isPresenceWatched(room));
    this.#noteChange(room);
  }

  #hide(room: Room<M>, member: M): void {
    if (room.presence === undefined) return;
    room.presence.hide(this.uidOf(member), isPresenceWatched(room));
    this.#noteChange(room);
  }

  #noteChange(room: Room<M>): void {
    if (!room.presence?.hasChanged) return;
    if (this.#changed.size === 0) this.#host.nextTurn(() => this.#tellChanges());
    this.#changed.add(room);
  }

  #tellChanges(): void {
    const rooms = [...this.#changed];
    this.#changed.clear();
    for (const room of rooms) {
      const change = room.presence?.take();
      if (change !== undefined) this.#tell(room, (watcher, delivery) => watcher.changed?.(change, delivery));
    }
  }
}

function tellPublished<M extends Member>(room: Room<M>, message: EncodedMessage, delivery: number): void {
  if (room.watchers !== undefined) room.tell((watcher) => watcher.published?.(message, delivery));
}

function isPresenceWatched<M extends Member>({ watchers }: Room<M>): boolean {
  if (watchers !== undefined) for (const { changed } of watchers) if (changed !== undefined) return true;
  return false;
}

/** @throws what the user's function throws, and TypeError for a promise. */
function shownBy<M extends Member>(show: (member: M) => unknown, member: M, name: string): unknown {
  const shown = show(member);
  if (!isUnwantedPromise(shown)) return shown;
  throw new TypeError(`presence of topic ${shownName(name)} returned a promise; allowed is a value`);
}
