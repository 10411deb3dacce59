/**
 * What every implementation of `Backplane` must do, as tests that any test runner can run.
 */
import { Buffer } from 'node:buffer';
import type { Backplane, Envelope } from '../topics/backplane.ts';
import { type Heard, ORIGIN, type Party, PROBE, pause, World } from './backplane-world.ts';

/** One test. `run` rejects with an Error that says what is wrong. */
export interface BackplaneTest {
  readonly name: string;
  readonly run: () => Promise<void>;
}

/** What the tests need of you. */
export interface BackplaneTestOptions {
  /** Makes a backplane that is not started, in a name space: 1 to 64 letters, digits and `-`. Two of them are two processes. */
  readonly create: (namespace: string) => Backplane;
  /** Restarts the engine, so that it loses its clients; resolves when it takes connections again. Without it, that is not tested. */
  readonly restart?: (() => Promise<void>) | undefined;
  /** Real milliseconds that a test waits for what should come at once. Default 30,000. */
  readonly patienceMs?: number | undefined;
}

const NAMES = [
  ...[
    'a',
    'A',
    'b',
    'a.b',
    'a.b.c',
    'a..b',
    '.a',
    'a.',
    '.',
    '*',
    'a.*',
    '>',
    'a.>',
    'a b',
    ' a',
    'a\tb',
    'a\r\nb',
  ],
  ...[
    '%',
    '%%',
    'a%2Eb',
    'a%',
    '/a/b',
    '/a',
    'a:b',
    'a,b',
    '$SYS',
    '_INBOX.a',
    'ä',
    '€',
    '😀',
    '\0',
    'x'.repeat(255),
  ],
  '😀'.repeat(120),
];

/** @throws Error when two values are not the same in JSON. */
function same(what: string, found: unknown, wanted: unknown): void {
  const [is, should] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (is !== should) throw new Error(`${what}: ${is}; it should be ${should}`);
}

let worlds = 0;

/**
 * The tests of a `Backplane`: run each in your runner, `for (const { name, run } of backplaneTests(options)) test(name, run)`.
 * They need the engine for themselves only where `restart` is given.
 */
export function backplaneTests({
  create,
  restart,
  patienceMs = 30_000,
}: BackplaneTestOptions): BackplaneTest[] {
  const inWorld = (run: (world: World) => Promise<void>) => async () => {
    worlds++;
    const world = new World(create, `conformance-${process.pid}-${worlds}`, patienceMs);
    try {
      await run(world);
    } finally {
      await world.end();
    }
  };
  const tests = [...TESTS, ...(restart === undefined ? [] : [restartTest(restart)])];
  return tests.map(([name, run]) => ({ name, run: inWorld(run) }));
}

type Test = readonly [name: string, run: (world: World) => Promise<void>];

const TESTS: readonly Test[] = [
  [
    'a message arrives as it was, with its envelope, and what was lent may be used again',
    async (world) => {
      const [from, to] = [await world.party(), await world.party()];
      await world.subscribe(to, from, 't');
      const every = Buffer.from(Uint8Array.from({ length: 256 }, (_, n) => n)).toString('latin1');
      const sent: [string, Partial<Envelope>][] = [
        ['text', {}],
        [every, { binary: true }],
        ['', {}],
        ['{"a":1}', { except: 'ABC_-.12', key: 'key' }],
        ['key', { key: 'a key \r\n€ 😀' }],
        ['note', { control: true }],
        ['x'.repeat(100_000), { binary: true, except: 'a.1', key: '', control: true }],
      ];
      for (const [text, envelope] of sent) from.say('t', text, envelope);
      await to.hears('t', sent.length);
      const found = to.heard.filter(({ text }) => !text.startsWith(PROBE));
      for (const [n, [text, { binary = false, except, key, control = false }]] of sent.entries()) {
        const { envelope, text: got } = found[n] as Heard;
        same('the payload', got, text);
        const { origin, ...rest } = envelope;
        same('the origin', origin, ORIGIN);
        const is = [rest.binary, rest.except ?? null, rest.key ?? null, rest.control ?? false];
        same('the envelope', is, [binary, except ?? null, key ?? null, control]);
      }
    },
  ],
  [
    'every name of a topic is a topic of its own',
    async (world) => {
      const [from, to] = [await world.party(), await world.party()];
      for (const name of NAMES) to.backplane.subscribe(name);
      for (const name of NAMES) await world.reaches(from, to, name);
      for (const [n, name] of NAMES.entries()) from.say(name, `to ${n}`);
      for (const name of NAMES) await to.hears(name, 1);
      for (const name of NAMES) await world.reaches(from, to, name);
      for (const [n, name] of NAMES.entries())
        same(`what came to ${JSON.stringify(name)}`, to.messages(name), [`to ${n}`]);
    },
  ],
  [
    'in the order of publishing for each process and topic, each once',
    async (world) => {
      const parties = [await world.party(), await world.party()] as const;
      const to = await world.party();
      const topics = ['t', 'u'];
      for (const topic of topics) {
        to.backplane.subscribe(topic);
        for (const from of parties) await world.reaches(from, to, topic);
      }
      const count = 500;
      for (let n = 0; n < count; n++)
        for (const topic of topics) for (const [p, from] of parties.entries()) from.say(topic, `${p} ${n}`);
      for (const topic of topics) await to.hears(topic, 2 * count);
      for (const topic of topics) {
        for (const [p, from] of parties.entries()) {
          await world.reaches(from, to, topic);
          const got = to.messages(topic).filter((text) => text.startsWith(`${p} `));
          same(
            'the order',
            got,
            Array.from({ length: count }, (_, n) => `${p} ${n}`),
          );
        }
      }
    },
  ],
  [
    'a topic is delivered only between subscribe and unsubscribe',
    async (world) => {
      const [from, to] = [await world.party(), await world.party()];
      await world.subscribe(to, from, 'marker');
      from.say('t', 'before');
      await world.reaches(from, to, 'marker');
      await world.subscribe(to, from, 't');
      from.say('t', 'during');
      await to.hears('t', 1);
      to.backplane.unsubscribe('t');
      const known = to.heard.length;
      await world.reaches(from, to, 'marker');
      from.say('t', 'after');
      await world.reaches(from, to, 'marker');
      same('what came', to.messages('t'), ['during']);
      same(
        'what came after unsubscribe',
        to.heard.slice(known).filter(({ topic }) => topic === 't'),
        [],
      );
      await world.subscribe(to, from, 't');
      from.say('t', 'again');
      await to.hears('t', 2);
      same('what came', to.messages('t'), ['during', 'again']);
    },
  ],
  [
    'name spaces hear nothing of each other',
    async (world) => {
      const [from, to, other] = [await world.party(), await world.party(), await world.party('-other')];
      const beside = await world.party('-other');
      await world.subscribe(to, from, 't');
      await world.subscribe(other, beside, 't');
      from.say('t', 'here');
      beside.say('t', 'there');
      await to.hears('t', 1);
      await other.hears('t', 1);
      await world.reaches(from, to, 't');
      await world.reaches(beside, other, 't');
      same('what came', [to.messages('t'), other.messages('t')], [['here'], ['there']]);
    },
  ],
  [
    'stop lets what was published leave, ends deliveries, and may be followed by a start',
    async (world) => {
      const [from, to] = [await world.party(), await world.party()];
      await world.subscribe(to, from, 't');
      for (let n = 0; n < 100; n++) from.say('t', `${n}`);
      await from.backplane.stop();
      await to.hears('t', 100);
      await to.backplane.stop();
      await from.start();
      from.say('t', 'to nobody');
      const known = to.heard.length;
      await to.start();
      await world.subscribe(to, from, 'u');
      from.say('t', 'to nobody');
      await world.reaches(from, to, 'u');
      const late = to.heard.slice(known).filter(({ topic }) => topic === 't');
      same('what came of a topic that is not subscribed since the start', late, []);
      same('failures that were told', [from.failures.length, to.failures.length], [0, 0]);
    },
  ],
  [
    'stop does nothing before a start, and a second time',
    async (world) => {
      const party = await world.party();
      await party.backplane.stop();
      await party.backplane.stop();
      await party.start();
    },
  ],
];

const restartTest = (restart: () => Promise<void>): Test => [
  'the loss of the engine is told once; after the next start nothing is subscribed, and nothing comes twice',
  async (world) => {
    const [from, to] = [await world.party(), await world.party()];
    await world.subscribe(to, from, 't');
    await world.subscribe(to, from, 'u');
    await restart();
    await Promise.all(
      [from, to].map((party) => party.until('the loss is told', () => party.failures.length > 0)),
    );
    await Promise.all([from, to].map(startUntilItIs));
    await world.subscribe(to, from, 'u');
    from.say('t', 'to nobody');
    for (let n = 0; n < 100; n++) from.say('u', `${n}`);
    await to.hears('u', 100);
    await world.reaches(from, to, 'u');
    same('failures that were told', [from.failures.length, to.failures.length], [1, 1]);
    same('what came of a topic that is not subscribed since', to.messages('t'), []);
    same(
      'what came',
      to.messages('u'),
      Array.from({ length: 100 }, (_, n) => `${n}`),
    );
  },
];

/** A connection of the user's may not be back yet. */
async function startUntilItIs(party: Party): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await party.start();
      return;
    } catch (error) {
      if (attempt === MAX_STARTS) throw error;
      await pause();
    }
  }
}

const MAX_STARTS = 1000;
