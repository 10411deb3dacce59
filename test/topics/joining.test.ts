/** What a member gets when it joins: a first message, what it has missed, and then what is new. */
import { describe, expect, test } from 'vitest';
import { checkSize, type Found } from '../../src/topics/joining.ts';
import { FakeMember, message } from '../support/fake-member.ts';
import { historyRule, makeTopics } from '../support/fake-topics.ts';

const withHistory = (size = 10, ttl?: number) => makeTopics({ h: { history: historyRule(size, ttl) } });
const show = ({ position, recovered, missed }: Found) =>
  message(`${position?.split('.')[1]} ${recovered} ${missed}`);
const join = { positions: false, first: show };

describe('joining a topic with a history', () => {
  test('sends what was missed, in order, before anything newer', () => {
    const { topics, say } = withHistory();
    say('h', 'a');
    const since = topics.positionOf('h');
    say('h', 'b');
    say('h', 'c');
    const member = new FakeMember(1);
    expect(topics.join(member, 'h', { ...join, since })).toBe(true);
    say('h', 'd');
    expect(member.heard).toEqual(['3 true 2', 'b', 'c', 'd']);
  });

  test('with `positions` each message comes with its own', () => {
    const { topics, member, say } = withHistory();
    const plain = member(1, 'h');
    say('h', 'a');
    const since = topics.positionOf('h');
    say('h', 'b');
    const stamped = new FakeMember(2);
    topics.join(stamped, 'h', { since, positions: true });
    say('h', 'c');
    expect([plain.heard, stamped.heard]).toEqual([
      ['a', 'b', 'c'],
      ['2:b', '3:c'],
    ]);
  });

  test('without `since` nothing is sent but the first message', () => {
    const { topics, say } = withHistory();
    say('h', 'a');
    const member = new FakeMember(1);
    topics.join(member, 'h', join);
    expect(member.heard).toEqual(['1 false 0']);
  });

  test.each(['nonsense', 'other.0', ''])('%j cannot be recovered, and that is told', (since) => {
    const { topics, say } = withHistory();
    say('h', 'a');
    const member = new FakeMember(1);
    topics.join(member, 'h', { ...join, since });
    say('h', 'b');
    expect(member.heard).toEqual(['1 false 0', 'b']);
  });

  test('with `last` the newest messages are sent where nothing was recovered, as many as there are', () => {
    const { topics, say } = withHistory(3);
    for (const text of ['a', 'b', 'c', 'd']) say('h', text);
    const heardBy = (last: number, since?: string) => {
      const member = new FakeMember(last);
      topics.join(member, 'h', { ...join, last, since });
      return member.heard;
    };
    expect(heardBy(2)).toEqual(['4 false 2', 'c', 'd']);
    expect(heardBy(50)).toEqual(['4 false 3', 'b', 'c', 'd']);
    expect(heardBy(0)).toEqual(['4 false 0']);
    expect(heardBy(2, 'gone.1')).toEqual(['4 false 2', 'c', 'd']);
    expect(heardBy(1, topics.positionOf('h'))).toEqual(['4 true 0']);
  });

  test('when too many came meanwhile it cannot be recovered', () => {
    const { topics, say } = withHistory(2);
    say('h', '0');
    const since = topics.positionOf('h');
    for (const text of ['a', 'b', 'c']) say('h', text);
    const member = new FakeMember(1);
    topics.join(member, 'h', { ...join, since });
    expect(member.heard).toEqual(['4 false 0']);
  });

  test('what is more than the member may be sent at once is not sent by half', () => {
    const { topics, say } = withHistory();
    say('h', '0');
    const since = topics.positionOf('h');
    for (let n = 0; n < 3; n++) say('h', 'x'.repeat(300));
    const [empty, full] = [new FakeMember(1), new FakeMember(2)];
    full.bufferedAmount = 101; // of 1000
    for (const member of [empty, full]) topics.join(member, 'h', { ...join, since });
    expect(empty.heard).toHaveLength(4);
    expect(full.heard).toEqual(['4 false 0']);
  });

  test('frames count with their headers, and a message of sendLimit bytes alone is recovered', () => {
    const { topics, say } = withHistory(1000);
    say('h', '0');
    const since = topics.positionOf('h');
    const join1 = (id: number) => {
      const member = new FakeMember(id);
      topics.join(member, 'h', { positions: true, since });
      return member.heard.length;
    };
    say('h', 'x'.repeat(998)); // 1000 with its position
    expect(join1(1)).toBe(1);
    const { topics: small, say: saySmall } = withHistory(1000);
    saySmall('h', '0');
    const from = small.positionOf('h');
    for (let n = 0; n < 400; n++) saySmall('h', 'x'); // of 3 bytes each
    const told: boolean[] = [];
    const member = new FakeMember(2);
    const first = ({ recovered }: Found) => {
      told.push(recovered);
      return undefined;
    };
    small.join(member, 'h', { positions: false, since: from, first });
    expect([told, member.heard]).toEqual([[false], []]);
  });

  test('a first message that leaves too little room for what was missed is made again', () => {
    const { topics, say } = withHistory();
    say('h', '0');
    const since = topics.positionOf('h');
    say('h', 'x'.repeat(500));
    const member = new FakeMember(1);
    const first = ({ recovered, missed }: Found) => message(`${recovered} ${missed}`.padEnd(500));
    topics.join(member, 'h', { positions: false, since, first });
    const other = new FakeMember(2);
    topics.join(other, 'h', { positions: false, last: 1, first });
    say('h', 'later');
    expect(member.heard.map((text) => text.trim())).toEqual(['false 0', 'later']);
    expect(other.heard.map((text) => text.trim())).toEqual(['false 0', 'later']);
  });

  test('with what `first` itself sends, too', () => {
    const { topics, say } = withHistory();
    say('h', '0');
    const since = topics.positionOf('h');
    say('h', 'x'.repeat(500));
    const member = new FakeMember(1);
    const first = (found: Found) => {
      member.bufferedAmount = 600;
      return show(found);
    };
    topics.join(member, 'h', { positions: false, since, first });
    expect(member.heard).toEqual(['2 false 0']);
  });

  test('a member that is closed by it is given no more', () => {
    const { topics, say, close } = withHistory();
    say('h', '0');
    const since = topics.positionOf('h');
    for (const text of ['a', 'b', 'c']) say('h', text);
    const member = new FakeMember(1);
    const asked: string[] = [];
    member.answer = (text) => {
      asked.push(text);
      if (text !== '3:b') return 'sent';
      close(member);
      return 'closed';
    };
    expect(topics.join(member, 'h', { positions: true, since, first: () => message('first') })).toBe(false);
    expect(asked).toEqual(['first', '2:a', '3:b']);
  });

  test('what `first` publishes comes after it, once', () => {
    const { topics, say } = withHistory();
    const member = new FakeMember(1);
    const first = (found: Found) => {
      say('h', 'a');
      return show(found);
    };
    topics.join(member, 'h', { positions: false, first });
    say('h', 'b');
    expect(member.heard).toEqual(['0 false 0', 'a', 'b']);
  });

  test('what handlers publish while it is sent what it missed comes after that, once', () => {
    const { topics, say } = withHistory();
    say('h', '0');
    const since = topics.positionOf('h');
    say('h', 'a');
    say('h', 'b');
    const member = new FakeMember(1);
    member.answer = (text) => {
      if (text === 'a') say('h', 'c');
      return 'sent';
    };
    topics.join(member, 'h', { positions: false, since });
    say('h', 'd');
    expect(member.heard).toEqual(['a', 'b', 'c', 'd']);
  });

  test('who is closed by it is no member, and nothing is left of it', () => {
    const { topics, say, close } = withHistory();
    say('h', '0');
    const since = topics.positionOf('h');
    say('h', 'a');
    const member = new FakeMember(1);
    member.answer = () => {
      close(member);
      return 'closed';
    };
    expect(topics.join(member, 'h', { positions: false, since })).toBe(false);
    expect(topics.room('h')?.members.size).toBe(0);
    expect(topics.roomsOf(member).size).toBe(0);
  });
});

describe('the first message', () => {
  test('of a topic without a history says what there is', () => {
    const { topics } = makeTopics();
    let found: Found | undefined;
    const first = (each: Found) => {
      found = each;
      return undefined;
    };
    topics.join(new FakeMember(1), 't', { positions: true, first });
    expect(found).toEqual({
      topic: 't',
      position: undefined,
      recovered: false,
      missed: 0,
      present: new Map(),
    });
  });

  test('that throws leaves nothing behind', () => {
    const { topics } = makeTopics({ t: { show: () => 'x' } });
    const member = new FakeMember(1);
    const first = () => {
      throw new Error('no');
    };
    expect(() => topics.join(member, 't', { positions: false, first })).toThrow('no');
    expect(topics.size).toBe(0);
    expect(topics.roomsOf(member).size).toBe(0);
  });

  test('that is too large is a RangeError, and nothing is joined', () => {
    const { topics } = makeTopics();
    const first = () => message('x'.repeat(1001));
    expect(() => topics.join(new FakeMember(1), 't', { positions: false, first })).toThrow('1001 bytes');
    expect(topics.size).toBe(0);
  });

  test('may have the member join by itself', () => {
    const { topics, say } = makeTopics();
    const member = new FakeMember(1);
    const first = () => {
      topics.join(member, 't');
      return message('first');
    };
    expect(topics.join(member, 't', { positions: false, first })).toBe(false);
    say('t', 'x');
    expect(member.heard).toEqual(['first', 'x']);
  });
});

test('a message over sendLimit is refused where that closes, and left to the policy where it drops', () => {
  const large = message('x'.repeat(11));
  expect(() => checkSize(large, { sendLimit: 10, overflow: 'close' })).toThrow(/11 bytes: sendLimit is 10/);
  expect(() => checkSize(large, { sendLimit: 10, overflow: 'drop' })).not.toThrow();
  expect(() => checkSize(large, { sendLimit: 11, overflow: 'close' })).not.toThrow();
});
