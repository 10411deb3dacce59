import { Buffer } from 'node:buffer';
import { beforeEach, expect, test } from 'vitest';
import { TurnWriter } from '../../../src/io/writing/turn-writer.ts';
import { SLAB_BYTES, WriteTurn } from '../../../src/io/writing/write-turn.ts';
import { FakeTransport } from '../../support/fake-transport.ts';

const frame = (letter: string, bytes: number) => {
  const all = Buffer.alloc(2 + bytes, letter);
  all[0] = 0x81;
  all[1] = bytes;
  return all;
};

let told: string[];
let turn: WriteTurn;
let transport: FakeTransport;
let writer: TurnWriter;

beforeEach(() => {
  told = [];
  transport = new FakeTransport();
  turn = new WriteTurn(() => {});
  writer = new TurnWriter(transport, turn, {
    onWaiting: () => told.push('waiting'),
    onBroken: (error) => told.push(`broken: ${error}`),
  });
});

test('copies and blocks of one turn leave in one write, in order', () => {
  writer.copy(frame('a', 3));
  writer.copy(frame('b', 3));
  writer.block(frame('c', 3));
  writer.copy(frame('d', 3));
  expect([writer.turnBytes, writer.bytes, transport.writes]).toEqual([20, 0, []]);
  writer.flush();
  writer.flush();
  expect(transport.frames).toEqual(['text aaa', 'text bbb', 'text ccc', 'text ddd']);
  expect([writer.turnBytes, writer.bytes, transport.writes]).toEqual([0, 20, [20]]);
});

test('what has gathered is written at once when it is as large as a slab', () => {
  writer.block(Buffer.alloc(SLAB_BYTES));
  expect([transport.writes, writer.turnBytes]).toEqual([[SLAB_BYTES], 0]);
});

test('says that it waits, and how many bytes are left', () => {
  transport.takes = false;
  writer.copy(frame('a', 3));
  writer.flush();
  expect([told, writer.waiting, writer.unsentBytes, writer.bufferedAmount]).toEqual([
    ['waiting'],
    true,
    5,
    5,
  ]);
  transport.drain(true);
  writer.waiting = false;
  expect(writer.unsentBytes).toBe(0);
  writer.large(Buffer.alloc(20_000, 'x'));
  expect(transport.frames).toEqual(['text aaa', 'binary 20000 of x']);
});

test('a transport that throws is told of, and nothing waits', () => {
  transport.write = () => {
    throw new Error('no');
  };
  transport.end = () => {
    throw new Error('no end');
  };
  writer.copy(frame('a', 3));
  writer.flush();
  writer.end();
  expect([told, writer.waiting]).toEqual([['broken: Error: no', 'broken: Error: no end'], false]);
});

test('forgets all on release', () => {
  writer.copy(frame('a', 3));
  writer.block(frame('b', 3));
  writer.release();
  writer.flush();
  expect([transport.writes, writer.bufferedAmount]).toEqual([[], 0]);
});
