// The processes of the tests of backplanes: they wait for what comes, and say what does not.

import { expect, test } from 'vitest';
import { World } from '../../src/testing/backplane-world.ts';
import { MemoryEngine } from '../../src/testing/memory-engine.ts';

test('a message that never comes is waited for, and then said', async () => {
  const engine = new MemoryEngine();
  const world = new World((namespace) => engine.backplane(namespace), 'w', 50);
  const [from, to] = [await world.party(), await world.party()];
  await expect(world.reaches(from, to, 't')).rejects.toThrow(
    'waited 50 ms in vain: a message of "t", sent again and again',
  );
  await world.subscribe(to, from, 't');
  await expect(to.hears('t', 1)).rejects.toThrow('waited 50 ms in vain: 1 messages of "t"');
  from.say('t', 'hello');
  await to.hears('t', 1);
  expect(to.messages('t')).toEqual(['hello']);
  await world.end();
  expect(engine.subscribers('t', 'w')).toBe(0);
});
