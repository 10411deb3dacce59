/** Handshakes that are refused: an answer for those who asked for something, the end for those who did not. */
import { expect, test } from 'vitest';
import type { Session } from '../../src/connection/session.ts';
import { eventLoopTurn } from '../../src/io/time/clock.ts';
import { refuseAll } from '../../src/server/refusing.ts';

/** As much of a session as is asked here. */
function session(asked: Session['asked'], report?: Session['report']) {
  const made = { asked, report, terminated: 0, requestTerminate: () => void made.terminated++ };
  return made as typeof made & Session;
}

const turns = async () => {
  for (let count = 0; count < 3; count++) await eventLoopTurn();
};

test('who has asked is answered at once; who has not is looked at again, and then destroyed', async () => {
  const [asking, silent, late] = [session('something'), session('nothing'), session('nothing')];
  const answered: Session[] = [];
  refuseAll([asking, silent, late], (each) => answered.push(each));
  expect(answered).toEqual([asking]);
  late.asked = 'something';
  await turns();
  expect(answered).toEqual([asking, late]);
  expect([asking.terminated, silent.terminated, late.terminated]).toEqual([0, 1, 0]);
});

test('who has ended, or ends meanwhile, is left alone', async () => {
  const report = { code: 1006, reason: '', wasClean: false, initiator: 'peer' } as const;
  const [gone, going] = [session('something', report), session('nothing')];
  const answered: Session[] = [];
  refuseAll([gone, going], (each) => answered.push(each));
  going.report = report;
  await turns();
  expect([answered, going.terminated]).toEqual([[], 0]);
});
