/**
 * What a member gets when it joins a topic, before anything newer: a first message, if one was asked for, and what it
 * has missed.
 */
import { tooLarge } from '../io/writing/bytes.ts';
import { contentOf, type EncodedMessage } from '../io/writing/encoded-message.ts';
import type { Overflow } from '../io/writing/outbox-ports.ts';
import type { Position } from './backplane.ts';
import { frameBytes, type History, positionText, readPosition } from './history.ts';
import type { Member } from './member.ts';
import type { Room } from './room.ts';

/** How a member joins. */
export interface JoinRequest {
  /** The position of the last message that it had, `epoch.offset`; what came after it is sent, where that is still there. */
  readonly since?: string | undefined;
  /** Without `since`, or where that cannot be recovered: so many of the newest messages are sent. */
  readonly last?: number | undefined;
  /** It gets each message with its position. */
  readonly positions: boolean;
  /**
   * Makes its first message of what was found; undefined: none. What it throws, `join` throws. Called again when its message
   * leaves too little room for what was missed.
   */
  readonly first?: ((found: Found) => EncodedMessage | undefined) | undefined;
}

/** What joining a topic has found. */
export interface Found<Shown = unknown> {
  readonly topic: string;
  /** Of the newest message, `epoch.offset`; undefined where no history is kept. */
  readonly position: string | undefined;
  /** Everything after `since` is still there, and is sent after the first message. False without `since`. */
  readonly recovered: boolean;
  /** How many messages of the past are sent after the first message. */
  readonly missed: number;
  /** Who is there, the new member included, and what they show, by `connection.uid`; empty without presence. */
  readonly present: ReadonlyMap<string, Shown>;
}

/** Where a member goes on from. */
interface Resumption {
  readonly from: Position;
  readonly recovered: boolean;
  readonly missed: number;
}

/**
 * Sends what the member gets on joining. Sending may call handlers, and `first` is a user's function: what they publish is
 * sent as missed, too, since the member is not in the room yet.
 */
export function welcome<M extends Member>(
  room: Room<M>,
  member: M,
  request: JoinRequest,
  { nowMs, limits }: Circumstances,
): void {
  const { history } = room;
  const spare = (): number => limits.sendLimit - member.bufferedAmount;
  const make = (resumption: Resumption | undefined): EncodedMessage | undefined => {
    const message = firstOf(room, request, resumption);
    if (message !== undefined) checkSize(message, limits);
    return message;
  };
  let resumption = history && resume(history, request, { nowMs, spare: spare() });
  let message = make(resumption);
  if (history !== undefined && resumption !== undefined && resumption.missed > 0) {
    const left = spare() - (message === undefined ? 0 : frameBytes(message));
    if (history.after(resumption.from, nowMs, request.positions, left) === undefined) {
      resumption = { from: history.position, recovered: false, missed: 0 };
      message = make(resumption);
    }
  }
  if (message !== undefined && member.deliver(message, undefined) === 'closed') return;
  let from = resumption?.from;
  while (history !== undefined && from !== undefined) {
    const missed: EncodedMessage[] | undefined = history.after(from, nowMs, request.positions);
    from = missed?.length ? history.position : undefined;
    for (const each of missed ?? []) if (member.deliver(each, undefined) === 'closed') return;
  }
}

function firstOf<M extends Member>(
  room: Room<M>,
  { first }: JoinRequest,
  resumption: Resumption | undefined,
): EncodedMessage | undefined {
  return first?.({
    topic: room.name,
    position: room.history && positionText(room.history.position),
    recovered: resumption?.recovered ?? false,
    missed: resumption?.missed ?? 0,
    present: new Map(room.presence?.present),
  });
}

/** @throws RangeError for a message that could never be sent. */
export function checkSize(message: EncodedMessage, limits: SizeLimits): void {
  if (limits.overflow === 'close' && isTooLarge(message, limits))
    throw tooLarge(contentOf(message).bytes.length, limits.sendLimit);
}

/** Whether it is over `sendLimit` alone, so that no member could be sent it. */
export function isTooLarge(message: EncodedMessage, { sendLimit }: SizeLimits): boolean {
  return contentOf(message).bytes.length > sendLimit;
}

export interface SizeLimits {
  /** Bytes that may wait for one member. */
  readonly sendLimit: number;
  readonly overflow: Overflow;
}

/** When, and what may be sent. */
interface Circumstances {
  readonly nowMs: number;
  readonly limits: SizeLimits;
}

/** More than the member may be sent at once, `spare`, is not sent at all: a part of it would leave a hole. */
function resume(
  history: History,
  { since, last = 0, positions }: JoinRequest,
  { nowMs, spare }: { readonly nowMs: number; readonly spare: number },
): Resumption {
  const from = since === undefined ? undefined : readPosition(since);
  const missed = from && history.after(from, nowMs, positions, spare);
  if (from !== undefined && missed !== undefined) return { from, recovered: true, missed: missed.length };
  const newest = history.newest(last, nowMs);
  const before = history.after(newest, nowMs, positions, spare);
  if (before !== undefined) return { from: newest, recovered: false, missed: before.length };
  return { from: history.position, recovered: false, missed: 0 };
}
