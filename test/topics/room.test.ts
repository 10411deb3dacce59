/** Deliveries of one room: to whom, and in which order when handlers publish meanwhile. */
import { describe, expect, test } from 'vitest';
import { type Delivery, Room } from '../../src/topics/room.ts';
import { FakeMember, message } from '../support/fake-member.ts';

function make(count: number) {
  const errors: unknown[] = [];
  const room = new Room<FakeMember>('r', undefined, {
    expired: () => {},
    failed: (error) => errors.push(error),
  });
  const members = Array.from({ length: count }, (_, n) => new FakeMember(n + 1));
  for (const member of members) room.members.add(member);
  const finished: string[] = [];
  const say = (text: string, except?: number) => {
    const report = { sent: 0, queued: 0, dropped: 0 };
    const delivery: Delivery<FakeMember> = {
      message: message(text),
      stamped: undefined,
      key: undefined,
      except,
      report,
      finish: () => finished.push(text),
    };
    room.deliver(delivery);
    return report;
  };
  return { room, members, errors, finished, say };
}

describe('a delivery', () => {
  test('goes to all but one, and counts what became of it', () => {
    const { members, say } = make(5);
    const [a, b, c, d, e] = members as [FakeMember, FakeMember, FakeMember, FakeMember, FakeMember];
    b.answer = () => 'queued';
    c.answer = () => 'dropped';
    d.answer = () => 'closed';
    expect(say('x', e.id)).toEqual({ sent: 1, queued: 1, dropped: 2 });
    expect([a, b, c, d, e].map(({ heard }) => heard)).toEqual([['x'], ['x'], [], [], []]);
  });

  test('of a member that throws goes on with the others, and the error is told', () => {
    const { members, say, errors } = make(3);
    const error = new RangeError('too large');
    (members[1] as FakeMember).answer = () => {
      throw error;
    };
    expect(say('x')).toEqual({ sent: 2, queued: 0, dropped: 1 });
    expect(errors).toEqual([error]);
  });

  test('is finished before what a handler publishes meanwhile: the same order for all, and own counts', () => {
    const { members, say, finished } = make(4);
    const reports: unknown[] = [];
    const closes = (member: FakeMember, next: string) => {
      member.answer = () => {
        member.isOpen = false;
        reports.push(say(next));
        return 'closed';
      };
    };
    closes(members[1] as FakeMember, 'b');
    closes(members[2] as FakeMember, 'c');
    const report = { sent: 2, queued: 0, dropped: 2 };
    expect(say('a')).toEqual(report);
    expect(reports).toEqual([report, report]);
    expect(finished).toEqual(['a', 'c', 'b']);
    expect(members.map(({ heard }) => heard.join(''))).toEqual(['acb', '', '', 'acb']);
  });

  test('does not reach who has left meanwhile', () => {
    const { room, members, say } = make(3);
    const [first, , last] = members as [FakeMember, FakeMember, FakeMember];
    first.answer = () => {
      room.members.delete(last);
      return 'sent';
    };
    expect(say('x').sent).toBe(2);
    expect(last.heard).toEqual([]);
  });
});

test('a room is in use while it has members, listeners, somebody who joins, or something kept', () => {
  const { room, members } = make(1);
  expect(room.isInUse).toBe(true);
  room.members.clear();
  expect(room.isInUse).toBe(false);
  room.watchers = new Set();
  expect(room.isInUse).toBe(true);
  room.watchers = undefined;
  room.entering = 1;
  expect(room.isInUse).toBe(true);
  expect(members).toHaveLength(1);
});
