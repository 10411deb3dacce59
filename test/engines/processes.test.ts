// What is promised of topics across processes, shown with two real processes and real engines.

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Detour } from './detour.ts';
import { type ClientName, Member, type Peer, settle } from './member.ts';
import { Engine, type EngineName, isInstalled } from './programs.ts';

const engines: readonly (readonly [ClientName, EngineName])[] = [
  ['nats', 'nats'],
  ['ioredis', 'redis'],
  ['redis', 'redis'],
];

for (const [client, program] of engines) {
  describe.skipIf(!isInstalled(program))(`${program}-server, by ${client}`, () => {
    let engine: Engine;
    let [a, b]: Member[] = [];
    const others: Member[] = [];
    beforeAll(async () => {
      engine = await Engine.start(program);
      a = new Member(engine.url, client);
      b = new Member(engine.url, client);
      await Promise.all([a.is('up'), b.is('up')]);
    });
    afterEach(async () => {
      engine.resume();
      for (const member of others.splice(0)) await member.kill();
    });
    afterAll(async () => {
      const codes = await Promise.all([a?.end(), b?.end()]);
      await engine?.end();
      expect(codes).toEqual([0, 0]);
    });
    const both = () => [a, b] as [Member, Member];

    /** Two members of a topic in the first process and one in the second, which hear each other. */
    async function meet(
      topic: string,
      members: readonly [Member, Member] = both(),
    ): Promise<[Peer, Peer, Peer]> {
      const [here, there] = members;
      const [one, two] = [await here.join(topic), await here.join(topic)];
      const three = await there.join(topic);
      await settle(one, [two, three]);
      await settle(three, [one, two]);
      one.heard.length = 0;
      return [one, two, three];
    }

    test('a message goes to all members in both, as its own type, but not to whom it is from', async () => {
      const peers = await meet('t');
      const [one, two, three] = peers;
      one.send('text €');
      one.send(Uint8Array.of(0, 255));
      three.send('back');
      await two.hears('back');
      const [second, third] = await settle(one, [two, three]);
      const [first] = await settle(three, [one]);
      expect(second).toHaveLength(3);
      expect(second).toEqual(expect.arrayContaining(['text €', [0, 255], 'back']));
      expect([first, third]).toEqual([['back'], ['text €', [0, 255]]]);
    });

    test('whom it is not for may be in the other process', async () => {
      const [one, two, three] = await meet('except');
      const [here, there] = both();
      there.publish('except', 'but one', one.uid);
      here.publish('except', 'but three', three.uid);
      await Promise.all([three.hears('but one'), one.hears('but three')]);
      const [, second] = await settle(three, [one, two]).then(([first, second]) => {
        expect(first).toEqual(['but three']);
        return [first, second];
      });
      expect(second?.sort()).toEqual(['but one', 'but three']);
      expect(await settle(one, [three])).toEqual([['but one']]);
    });

    test('in the order of each publisher, each message once', async () => {
      const [one, two, three] = await meet('order');
      const count = 300;
      for (let n = 0; n < count; n++) {
        one.send(`one ${n}`);
        three.send(`three ${n}`);
      }
      const [second, third] = [await settle(one, [two, three]), await settle(three, [one, two])];
      const from = (name: string, ...heard: unknown[][]) =>
        heard.flat().filter((each) => String(each).startsWith(name));
      const all = (name: string) => Array.from({ length: count }, (_, n) => `${name} ${n}`);
      expect(from('one', second[0] ?? [], third[1] ?? [])).toEqual(all('one'));
      expect(from('three', second[0] ?? [], third[1] ?? [])).toEqual(all('three'));
      expect(from('one', second[1] ?? [])).toEqual(all('one'));
      expect(from('three', third[0] ?? [])).toEqual(all('three'));
    });

    test('members here do not wait for the engine', async () => {
      const [one, two, three] = await meet('local');
      engine.pause();
      one.send('hello');
      await two.hears('hello');
      expect(three.heard).toEqual([]);
      engine.resume();
      await three.hears('hello');
      expect(await settle(one, [two, three])).toEqual([['hello'], ['hello']]);
    });

    test('a process hears a topic only while somebody there is in it', async () => {
      const [here, there] = both();
      const alone = await here.join('alone');
      const second = await here.join('alone');
      for (let n = 0; n < 100; n++) alone.send(`${n}`);
      await second.hears('99');
      // What was published before is there, or did not come.
      const [one, , three] = await meet('marker');
      one.send('end');
      await three.hears('end');
      const { byTopic } = await there.stats();
      expect(byTopic.marker).toBeGreaterThan(0);
      expect(byTopic.alone).toBeUndefined();
    });

    test('a process that is killed is missed by nobody', async () => {
      const third = new Member(engine.url, client);
      await third.is('up');
      const [one, two, three] = await meet('crash', [a as Member, third]);
      await third.kill();
      expect(three.isOpen).toBe(false);
      one.send('still here');
      await two.hears('still here');
      const [, , back] = await meet('crash');
      one.send('everywhere');
      await back.hears('everywhere');
    });

    test('when the engine is killed and comes back: served here, nobody closed, a gap told, nothing twice', async () => {
      const [one, two, three] = await meet('gaps');
      const from = both().map(({ told }) => told.length);
      await engine.kill();
      await Promise.all(both().map((member, n) => member.is('waiting', from[n])));
      one.send('only here');
      await two.hears('only here');
      await engine.start();
      await Promise.all(both().map((member, n) => member.is('up', from[n])));
      await Promise.all(both().map((member, n) => member.hears(({ gap }) => gap !== undefined, from[n])));
      expect(await settle(one, [two, three])).toEqual([['only here'], []]);
      expect([one, two, three].map(({ isOpen }) => isOpen)).toEqual([true, true, true]);
      const { reconnects, dropped } = await (a as Member).stats();
      expect(reconnects).toBeGreaterThan(0);
      expect(dropped).toBeGreaterThan(0);
    });

    test('when the engine hangs for longer than its pings: the same, and nothing twice', async () => {
      const pair = [new Member(engine.url, client, 200), new Member(engine.url, client, 200)] as const;
      others.push(...pair);
      await Promise.all(pair.map((member) => member.is('up')));
      const [one, two, three] = await meet('gaps', pair);
      const from = pair.map(({ told }) => told.length);
      engine.pause();
      const sent: string[] = [];
      for (let n = 0; n < 10; n++) sent.push(`in vain ${n}`);
      for (const text of sent) one.send(text);
      await two.hears(sent.at(-1) as string);
      await Promise.all(pair.map((member, n) => member.is('waiting', from[n])));
      engine.resume();
      await Promise.all(pair.map((member, n) => member.is('up', from[n])));
      await Promise.all(pair.map((member, n) => member.hears(({ gap }) => gap !== undefined, from[n])));
      const [here = [], there = []] = await settle(one, [two, three]);
      expect(here).toEqual(sent);
      expect(there).toEqual(sent.filter((text) => there.includes(text)));
    });

    test('when one process alone is cut off, the others are told of the gap that it leaves', async () => {
      const proxy = await Detour.to(engine.url);
      const cut = new Member(proxy.url, client);
      others.push(cut);
      await cut.is('up');
      const [, , three] = await meet('gaps', [a as Member, cut]);
      const from = [(a as Member).told.length, cut.told.length];
      proxy.cut();
      await cut.is('waiting', from[1]);
      three.send('lost');
      while ((await cut.stats()).dropped === 0);
      proxy.mend();
      await cut.is('up', from[1]);
      await (a as Member).hears(({ gap }) => gap !== undefined, from[0]);
      expect((await (a as Member).stats()).state).toBe('up');
      await others.splice(0)[0]?.kill();
      await proxy.end();
    });
  });
}
