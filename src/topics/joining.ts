/**
 * What a member gets when it joins a topic, before anything newer: a first message, if one was asked for, and what it
 * has missed.
 */
import { tooLarge } from '../io/writing/bytes.ts';
import { contentOf, type EncodedMessage } from '../io/writing/encoded-message.ts';
import type { Overflow } from '../io/writing/outbox-ports.ts';
import type { Position } from './backplane.ts';
import { type History, positionText, readPosition } from './history.ts';
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
  /** Makes its first message of what was found; undefined: none. What it throws, `join` throws. */
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
  const resumption = history && resume(history, member, request, { nowMs, limits });
  const message = request.first?.({
    topic: room.name,
    position: history && positionText(history.position),
    recovered: resumption?.recovered ?? false,
    missed: resumption?.missed ?? 0,
    present: new Map(room.presence?.present),
  });
  if (message !== undefined) {
    checkSize(message, limits);
    member.deliver(message, undefined);
  }
  if (history === undefined || resumption === undefined) return;
  let from: Position | undefined = resumption.from;
  while (from !== undefined) {
    const missed = history.after(from, nowMs, request.positions);
    from = missed?.length ? history.position : undefined;
    for (const each of missed ?? []) member.deliver(each, undefined);
  }
}

/** @throws RangeError for a message that could never be sent. */
export function checkSize(message: EncodedMessage, { sendLimit, overflow }: SizeLimits): void {
  const { length } = contentOf(message).bytes;
  if (overflow === 'close' && length > sendLimit) throw tooLarge(length, sendLimit);
}

interface SizeLimits {
  /** Bytes that may wait for one member. */
  readonly sendLimit: number;
  readonly overflow: Overflow;
}

/** When, and what may be sent. */
interface Circumstances {
  readonly nowMs: number;
  readonly limits: SizeLimits;
}

/** More than the member may be sent at once is not sent at all: a part of it would leave a hole. */
function resume(
  history: History,
  member: Member,
  { since, last = 0, positions }: JoinRequest,
  { nowMs, limits }: Circumstances,
): Resumption {
  const fits = (missed: readonly EncodedMessage[]) =>
    bytesOf(missed) <= limits.sendLimit - member.bufferedAmount;
  const from = since === undefined ? undefined : readPosition(since);
  const missed = from && history.after(from, nowMs, positions);
  if (from !== undefined && missed !== undefined && fits(missed))
    return { from, recovered: true, missed: missed.length };
  const newest = history.newest(last, nowMs);
  const before = history.after(newest, nowMs, positions) ?? [];
  if (fits(before)) return { from: newest, recovered: false, missed: before.length };
  return { from: history.position, recovered: false, missed: 0 };
}

function bytesOf(messages: readonly EncodedMessage[]): number {
  return messages.reduce((sum, message) => sum + contentOf(message).bytes.length, 0);
}
