/** Topics of one server, without connections: who is in which, what they cost, and what goes to other processes. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { contentOf, type EncodedMessage, encodeMessage } from '../../src/io/writing/encoded-message.ts';
import type { Envelope, Remote } from '../../src/topics/backplane.ts';
import type { PresenceChange } from '../../src/topics/member.ts';
import { FakeMember, message, textOf } from '../support/fake-member.ts';
import { historyRule, makeTopics } from '../support/fake-topics.ts';
import { TIMES } from '../support/times.ts';

describe('members', () => {
  test('get what is published while they are in, but not the one that is excepted', () => {
    const { topics, member, say } = makeTopics();
    const [a, b] = [member(1, 't'), member(2, 't')];
    expect(say('t', 'both')).toEqual({ sent: 2, queued: 0, dropped: 0 });
    say('t', 'b only', { except: a });
    say('t', 'a only', { except: topics.uidOf(b) });
    say('t', 'both', { except: 'elsewhere.1' });
    topics.leave(b, 't');
    say('t', 'a only');
    expect(a.heard).toEqual(['both', 'a only', 'both', 'a only']);
    expect(b.heard).toEqual(['both', 'b only', 'both']);
  });

  test('join and leave once', () => {
    const { topics, member } = makeTopics();
    const a = member(1);
    expect([topics.join(a, 't'), topics.join(a, 't')]).toEqual([true, false]);
    expect([topics.leave(a, 't'), topics.leave(a, 't'), topics.leave(a, 'u')]).toEqual([true, false, false]);
  });

  test('that take no more messages do not join', () => {
    const { topics, member, close } = makeTopics();
    const a = member(1, 't');
    close(a);
    expect(topics.join(a, 't')).toBe(false);
    expect(topics.size).toBe(0);
  });

  test('have the key with their message', () => {
    const { member, say } = makeTopics();
    const a = member(1, 't');
    say('t', '7', { key: 'price' });
    expect(a.heard).toEqual(['price=7']);
  });

  test('that join from a handler in the middle of a delivery get the next message', () => {
    const { topics, member, say } = makeTopics();
    const [a, late] = [member(1, 't'), member(2)];
    a.answer = () => {
      topics.join(late, 't');
      return 'sent';
    };
    say('t', 'first');
    say('t', 'second');
    expect(late.heard).toEqual(['second']);
  });
});

describe('a topic costs nothing', () => {
  test('before somebody joins, and after the last has left', () => {
    const { topics, member, say, close } = makeTopics();
    expect(say('t', 'nobody')).toEqual({ sent: 0, queued: 0, dropped: 0 });
    expect(topics.size).toBe(0);
    const [a, b] = [member(1, 't', 'u'), member(2, 't')];
    expect(topics.size).toBe(2);
    topics.leave(b, 't');
    close(a);
    expect(topics.size).toBe(0);
    expect(topics.roomsOf(a).size).toBe(0);
  });

  test('after the last listener has gone, whichever goes last', () => {
    const { topics, member } = makeTopics();
    const end = topics.watch('t', {});
    const a = member(1, 't');
    topics.leave(a, 't');
    expect(topics.size).toBe(1);
    end();
    end();
    expect(topics.size).toBe(0);
  });

  test('once its history has expired', () => {
    const { topics, clock, say, ticker } = makeTopics({ h: { history: historyRule(5, 100) } });
    say('h', 'a');
    expect(topics.size).toBe(1);
    clock.advance(90);
    say('h', 'b');
    clock.advance(60);
    expect(topics.size).toBe(1);
    clock.advance(200);
    expect(topics.size).toBe(0);
    expect(ticker.size).toBe(0);
  });

  test('a history that begins anew has another epoch', () => {
    const { topics, clock, say } = makeTopics({ h: { history: historyRule(5, 100) } });
    say('h', 'a');
    const since = topics.positionOf('h');
    clock.advance(300);
    say('h', 'b');
    const member = new FakeMember(1);
    topics.join(member, 'h', { since, positions: false });
    expect(member.heard).toEqual([]);
    expect(topics.positionOf('h')).not.toBe(since);
  });

  test('when joining fails', () => {
    const { topics, member } = makeTopics({
      t: {
        show() {
          throw new Error('not shown');
        },
      },
    });
    expect(() => member(1, 't')).toThrow('not shown');
    expect(topics.size).toBe(0);
  });
});

describe('the budget of histories', () => {
  const rules = {
    a: { history: historyRule(100) },
    b: { history: historyRule(100) },
    c: { history: historyRule(100) },
  };
  const since = (offset: number) => (topics: ReturnType<typeof makeTopics>['topics'], name: string) => {
    const member = new FakeMember(1);
    const epoch = topics.positionOf(name)?.split('.')[0];
    topics.join(member, name, { since: `${epoch}.${offset}`, positions: false });
    topics.leaveAll(member);
    return member.heard;
  };
  const all = since(0);

  test('is kept by those that have been silent longest, and their oldest messages', () => {
    // Each message of 100 bytes counts for 400, and each topic for 802.
    const { topics, say } = makeTopics(rules, { historyBudget: 5 * 400 + 3 * 802 });
    const text = (letter: string) => letter.repeat(100);
    for (const name of ['a', 'b', 'a', 'c', 'a']) say(name, text(name));
    expect([all(topics, 'a').length, all(topics, 'b').length, all(topics, 'c').length]).toEqual([3, 1, 1]);
    say('c', text('d'));
    // b has forgotten, and as nobody is in it, it is no more.
    expect(topics.room('b')).toBeUndefined();
    expect(all(topics, 'c')).toEqual([text('c'), text('d')]);
    say('c', text('e').padEnd(100 + 403));
    expect(all(topics, 'a')).toEqual([]);
    expect(since(1)(topics, 'a')).toHaveLength(2);
  });

  test('that one message exceeds keeps nothing; the message is delivered all the same', () => {
    const { topics, member, say, ticker } = makeTopics(rules, { historyBudget: 100 });
    const a = member(1, 'a');
    say('a', 'x');
    say('b', 'y');
    expect(a.heard).toEqual(['x']);
    expect(all(topics, 'a')).toEqual([]);
    expect(topics.room('b')).toBeUndefined();
    expect(ticker.size).toBe(0);
  });
});

describe('limits', () => {
  test.each([
    ['', '""'],
    ['x'.repeat(21), '"xxxxxxxxxxxxxxxxxxxxx"'],
    ['x'.repeat(100), '… (100 characters)'],
    ['a\ud800', '"a\\ud800"'],
    [7, 'of the type number'],
    [null, 'null'],
    [undefined, 'of the type undefined'],
  ])('%j is no name, wherever it is given', (name, shown) => {
    const { topics, say } = makeTopics();
    const wrong = name as string;
    for (const use of [
      () => topics.join(new FakeMember(1), wrong),
      () => say(wrong, 'x'),
      () => topics.watch(wrong, {}),
    ]) {
      expect(use).toThrow(RangeError);
      expect(use).toThrow(shown);
      expect(use).toThrow('1 to 20 characters (maxTopicLength)');
    }
    expect(topics.size).toBe(0);
  });

  test('any other string is one', () => {
    const { topics, member } = makeTopics();
    const a = member(1, ' ', '.', '*', '\n', '😀', 'x'.repeat(20), '__proto__');
    expect(topics.roomsOf(a).size).toBe(7);
  });

  test('one topic too many is a RangeError that names the option and its value', () => {
    const { topics, member } = makeTopics({}, { maxTopics: 2 });
    const a = member(7, 't', 'u');
    expect(() => topics.join(a, 'v')).toThrow(
      'connection 7 cannot join "v": it is in 2 topics, and the option maxTopics is 2',
    );
    expect(topics.join(a, 't')).toBe(false);
    topics.leave(a, 't');
    expect(topics.join(a, 'v')).toBe(true);
  });

  test('a message over sendLimit is a RangeError, also where nobody is there', () => {
    const { member, say, topics } = makeTopics();
    const a = member(1, 't');
    for (const name of ['t', 'empty']) expect(() => say(name, 'x'.repeat(1001))).toThrow('sendLimit is 1000');
    expect(a.heard).toEqual([]);
    expect(topics.size).toBe(1);
  });
});

describe('who listens', () => {
  test('is told of members and of messages, after the members', () => {
    const { topics, member, say } = makeTopics();
    const told: string[] = [];
    const a = member(1);
    const end = topics.watch('t', {
      joined: ({ id }) => told.push(`joined ${id}`),
      left: ({ id }) => told.push(`left ${id}`),
      published: (each) => told.push(`${textOf(each)} ${a.heard.length}`),
    });
    topics.join(a, 't');
    say('t', 'x');
    topics.leave(a, 't');
    end();
    topics.join(a, 't');
    expect(told).toEqual(['joined 1', 'x 1', 'left 1']);
  });

  test('may end that while it is told', () => {
    const { topics, member } = makeTopics();
    let lefts = 0;
    const end = topics.watch('t', {
      left: () => {
        lefts++;
        end();
      },
    });
    const a = member(1, 't');
    topics.leave(a, 't');
    expect([lefts, topics.size]).toEqual([1, 0]);
  });
});

describe('presence', () => {
  const rules = { t: { show: ({ id }: FakeMember) => `member ${id}` } };

  test('is who is there, and what each showed on joining', () => {
    const { topics, member, close } = makeTopics(rules);
    const [a, b] = [member(1, 't'), member(2, 't')];
    const present = () => Object.fromEntries(topics.room('t')?.presence?.present ?? []);
    expect(present()).toEqual({ [topics.uidOf(a)]: 'member 1', [topics.uidOf(b)]: 'member 2' });
    close(a);
    expect(present()).toEqual({ [topics.uidOf(b)]: 'member 2' });
  });

  test('changes are told once in a turn; who flaps is not told of', () => {
    const { topics, member, turn } = makeTopics(rules);
    const changes: PresenceChange[] = [];
    topics.watch('t', { changed: (change) => changes.push(change) });
    const [a, b, flapping] = [member(1, 't'), member(2, 't'), member(3)];
    for (let n = 0; n < 50; n++) {
      topics.join(flapping, 't');
      topics.leave(flapping, 't');
    }
    expect(changes).toEqual([]);
    turn();
    const shown = (one: FakeMember): [string, string] => [topics.uidOf(one), `member ${one.id}`];
    expect(changes).toEqual([{ joined: new Map([shown(a), shown(b)]), left: new Map() }]);
    topics.leave(a, 't');
    turn();
    turn();
    expect(changes.slice(1)).toEqual([{ joined: new Map(), left: new Map([shown(a)]) }]);
  });

  test('the first message knows it, the new member included', () => {
    const { topics, member } = makeTopics(rules);
    const a = member(1, 't');
    const b = new FakeMember(2);
    topics.join(b, 't', {
      positions: false,
      first: ({ present }) => message([...present.values()].join(', ')),
    });
    expect(b.heard).toEqual(['member 1, member 2']);
    expect(a.heard).toEqual([]);
  });
});

/** Topics of several processes, whose messages reach each other when the test says so. */
function processes(count: number) {
  const rules = { h: { history: historyRule(10, 100) } };
  const all = Array.from({ length: count }, () => {
    const made = makeTopics(rules);
    const wanted = new Set<string>();
    const calls: string[] = [];
    return { ...made, wanted, calls };
  });
  const waiting: [topic: string, bytes: Uint8Array, envelope: Envelope][] = [];
  for (const { topics, wanted, calls } of all) {
    const remote: Remote = {
      wanted(topic) {
        expect(wanted.has(topic)).toBe(false);
        wanted.add(topic);
        calls.push(`+${topic}`);
      },
      unwanted(topic) {
        expect(wanted.delete(topic)).toBe(true);
        calls.push(`-${topic}`);
      },
      publish: (topic, bytes, envelope) => waiting.push([topic, bytes.slice(), envelope]),
    };
    topics.remote = remote;
  }
  /** Everybody who wants it gets it, who published it included. */
  const travel = () => {
    for (const [topic, bytes, envelope] of waiting.splice(0))
      for (const { topics, wanted } of all) if (wanted.has(topic)) topics.received(topic, bytes, envelope);
  };
  return { all: all as [(typeof all)[0], (typeof all)[0]], waiting, travel };
}

describe('other processes', () => {
  test('get what is published here, after the members here, and nobody gets it twice', () => {
    const { all, travel, waiting } = processes(2);
    const [one, two] = all;
    const [a, b] = [one.member(1, 't'), two.member(1, 't')];
    expect(one.say('t', 'x', { key: 'k' })).toEqual({ sent: 1, queued: 0, dropped: 0 });
    expect([a.heard, b.heard]).toEqual([['k=x'], []]);
    expect(waiting[0]?.[2]).toEqual({
      origin: one.topics.origin,
      binary: false,
      except: undefined,
      key: 'k',
    });
    travel();
    expect([a.heard, b.heard]).toEqual([['k=x'], ['k=x']]);
  });

  test('leave out who is excepted, wherever it is', () => {
    const { all, travel } = processes(2);
    const [one, two] = all;
    const [a, b, c] = [one.member(1, 't'), two.member(1, 't'), two.member(2, 't')];
    one.say('t', 'not a', { except: a });
    one.say('t', 'not b', { except: two.topics.uidOf(b) });
    travel();
    expect([a.heard, b.heard, c.heard]).toEqual([['not b'], ['not a'], ['not a', 'not b']]);
  });

  test('hear of a topic only while somebody is in it, listens to it, or its past is kept', () => {
    const { all } = processes(1);
    const [{ topics, member, say, close, calls, clock }] = all;
    const a = member(1, 't');
    const b = member(2, 't');
    const end = topics.watch('t', {});
    close(a);
    close(b);
    expect(calls).toEqual(['+t']);
    end();
    say('t', 'nobody here');
    say('h', 'kept');
    expect(calls).toEqual(['+t', '-t', '+h']);
    clock.advance(300);
    expect(calls.at(-1)).toBe('-h');
  });

  test('get nested messages in the order in which members here had them', () => {
    const { all, waiting } = processes(1);
    const [{ member, say, topics }] = all;
    const [a, b] = [member(1, 't'), member(2, 't')];
    topics.watch('t', {
      published: (each) => {
        if (textOf(each) === 'b') say('t', 'c');
      },
    });
    a.answer = (text) => {
      if (text === 'a') say('t', 'b');
      return 'closed';
    };
    say('t', 'a');
    expect(waiting.map(([, bytes]) => Buffer.from(bytes).toString())).toEqual(['a', 'b', 'c']);
    expect(b.heard).toEqual(['a', 'b', 'c']);
  });

  test('binary stays binary, and text stays text', () => {
    const { all, travel } = processes(2);
    const [one, two] = all;
    const kinds: boolean[] = [];
    two.topics.watch('t', { published: (each) => kinds.push(contentOf(each).binary) });
    one.topics.publish('t', encodeMessage(Uint8Array.of(0xff)));
    one.say('t', 'text');
    travel();
    expect(kinds).toEqual([true, false]);
  });
});

// A simple reference: for each topic the list of who is in it; for each member all that it should have heard.

type Step =
  | { readonly do: 'join' | 'leave'; readonly who: number; readonly topic: number }
  | { readonly do: 'publish'; readonly who: number | undefined; readonly topic: number }
  | { readonly do: 'close'; readonly who: number };

const MEMBERS = 5;
const TOPICS = 4;
const who = fc.nat({ max: MEMBERS - 1 });
const topic = fc.nat({ max: TOPICS - 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('join' as const), who, topic }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('leave' as const), who, topic }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('publish' as const),
      who: fc.option(who, { nil: undefined }),
      topic,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('close' as const), who }) },
);

test('random joins, leaves, messages and closes are as in a simple model', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { topics, say, close } = makeTopics();
      const members = Array.from({ length: MEMBERS }, (_, id) => new FakeMember(id));
      const rooms = Array.from({ length: TOPICS }, () => new Set<number>());
      const heard = members.map((): string[] => []);
      const closed = new Set<number>();
      for (const [n, each] of steps.entries()) {
        if (each.do === 'close') {
          close(members[each.who] as FakeMember);
          closed.add(each.who);
          for (const room of rooms) room.delete(each.who);
          continue;
        }
        const room = rooms[each.topic] as Set<number>;
        const name = `topic ${each.topic}`;
        if (each.do === 'publish') {
          const audience = [...room].filter((id) => id !== each.who);
          for (const id of audience) heard[id]?.push(`${n}`);
          const except = each.who === undefined ? undefined : members[each.who];
          expect(say(name, `${n}`, { except })).toEqual({ sent: audience.length, queued: 0, dropped: 0 });
        } else if (each.do === 'join') {
          const joins = !room.has(each.who) && !closed.has(each.who);
          if (joins) room.add(each.who);
          expect(topics.join(members[each.who] as FakeMember, name)).toBe(joins);
        } else {
          expect(topics.leave(members[each.who] as FakeMember, name)).toBe(room.delete(each.who));
        }
      }
      expect(members.map((member) => member.heard)).toEqual(heard);
      expect(topics.size).toBe(rooms.filter(({ size }) => size > 0).length);
      const isIn = (id: number) => rooms.filter((room) => room.has(id)).length;
      expect(members.map((member) => topics.roomsOf(member).size)).toEqual(members.map(({ id }) => isIn(id)));
    }),
    { numRuns: 200 * TIMES },
  );
});

test('who reconnects at random a thousand times has every message once, or is told of the hole', () => {
  const random = fc.sample(fc.nat({ max: 99 }), { numRuns: 6000 }).values();
  const chance = () => random.next().value ?? 50;
  const { topics, say, close } = makeTopics({ h: { history: historyRule(20) } });
  let [published, id, reconnects, holes] = [0, 0, 0, 0];
  const publish = (count: number) => {
    for (let n = 0; n < count; n++) say('h', `${++published}`);
  };
  publish(1);
  let member = new FakeMember(id);
  topics.join(member, 'h', { positions: true });
  const epoch = (topics.positionOf('h') as string).split('.')[0];
  let last = published;
  const read = () => {
    for (const text of member.heard.splice(0)) {
      expect(text).toBe(`${last + 1}:${last + 1}`);
      last++;
    }
  };
  while (reconnects < 1000) {
    publish(chance() % 4);
    // Some of what is on its way is lost with the connection.
    const arrived = member.heard.length - (chance() % 3);
    member.heard.length = Math.max(0, arrived);
    read();
    close(member);
    publish(chance() < 90 ? chance() % 6 : 25);
    member = new FakeMember(++id);
    reconnects++;
    topics.join(member, 'h', {
      since: `${epoch}.${last}`,
      positions: true,
      first: ({ recovered, position }) => {
        if (recovered) return undefined;
        holes++;
        last = Number(position?.split('.')[1]);
        return undefined;
      },
    });
    read();
    expect(last).toBe(published);
  }
  expect(holes).toBeGreaterThan(0);
  expect(holes).toBeLessThan(500);
});

describe('those who look on', () => {
  const watchAll = (name: string, events: string[], { topics }: ReturnType<typeof makeTopics>) => ({
    joined: ({ id }: FakeMember) => events.push(`${name} joined ${id}`),
    left: ({ id }: FakeMember) => events.push(`${name} left ${id} of ${topics.room('t')?.members.size}`),
    published: (each: EncodedMessage) => events.push(`${name} ${textOf(each)}`),
  });

  test('are all told in the same order, whatever the first of them does', () => {
    const made = makeTopics();
    const { topics, say } = made;
    const events: string[] = [];
    const first = watchAll('A', events, made);
    topics.watch('t', {
      ...first,
      joined: (member) => {
        first.joined(member);
        topics.leave(member, 't');
      },
      published: (each) => {
        first.published(each);
        if (textOf(each) === '1') say('t', '2');
      },
    });
    topics.watch('t', watchAll('B', events, made));
    say('t', '1');
    topics.join(new FakeMember(7), 't');
    expect(events).toEqual([
      ...['A 1', 'B 1', 'A 2', 'B 2'],
      ...['A joined 7', 'B joined 7', 'A left 7 of 0', 'B left 7 of 0'],
    ]);
  });

  test('are told once of a member that is made to leave while it leaves all', () => {
    const made = makeTopics();
    const { topics, member, close } = made;
    const gone = member(1, 'lobby', 't');
    const events: string[] = [];
    topics.watch('lobby', { left: (each) => topics.leave(each, 't') });
    topics.watch('t', watchAll('A', events, made));
    close(gone);
    expect(events).toEqual(['A left 1 of 0']);
  });

  test('may come and go meanwhile; the others are told', () => {
    const { topics, say } = makeTopics();
    const events: string[] = [];
    const end = topics.watch('t', {
      published: () => {
        end();
        topics.watch('t', { published: (each, delivery) => events.push(`late ${delivery} ${textOf(each)}`) });
      },
    });
    topics.watch('t', { published: (each, delivery) => events.push(`B ${delivery} ${textOf(each)}`) });
    say('t', '1');
    say('t', '2');
    expect(events).toEqual(['B 1 1', 'B 2 2', 'late 2 2']);
  });

  test('of who joins and leaves do not make presence tell of those who were there', () => {
    const { topics, member, turn } = makeTopics({ t: { show: ({ id }) => id } });
    topics.watch('t', { joined: () => {} });
    member(1, 't');
    const changes: PresenceChange[] = [];
    topics.watch('t', { changed: (change) => changes.push(change) });
    member(2, 't');
    turn();
    expect(changes.map(({ joined }) => [...joined.values()])).toEqual([[2]]);
  });
});

describe('joining from the first message', () => {
  test('counts towards maxTopics', () => {
    const { topics } = makeTopics({}, { maxTopics: 1 });
    const member = new FakeMember(1);
    const first = () => {
      topics.join(member, 'b');
      return undefined;
    };
    expect(() => topics.join(member, 'a', { positions: false, first })).toThrow(/maxTopics is 1/);
    expect(Array.from(topics.roomsOf(member), ({ name }) => name)).toEqual(['b']);
    expect(topics.room('a')).toBeUndefined();
  });

  test('stays shown when the first message then fails', () => {
    const { topics } = makeTopics({ t: { show: ({ id }) => id } });
    const member = new FakeMember(1);
    const first = () => {
      topics.join(member, 't');
      throw new Error('no');
    };
    expect(() => topics.join(member, 't', { positions: false, first })).toThrow('no');
    const room = topics.room('t');
    expect([room?.members.size, room?.presence?.present.size]).toEqual([1, 1]);
  });
});

test('what is shown is a value: a promise is an error, also one that rejects', () => {
  const { topics } = makeTopics({ t: { show: () => Promise.reject(new Error('late')) } });
  const member = new FakeMember(1);
  expect(() => topics.join(member, 't')).toThrow(/presence of topic "t" returned a promise/);
  expect(topics.size).toBe(0);
});
