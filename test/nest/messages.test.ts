import { expect, test } from 'vitest';
import { answerTo, readMessage } from '../../src/nest/messages.ts';

test.each([
  ['{"event":"a"}', { event: 'a', data: undefined }],
  ['{"event":"a","data":{"b":[1]}}', { event: 'a', data: { b: [1] } }],
  ['{"event":"a","data":null,"id":1}', { event: 'a', data: null, id: 1 }],
  ['{"event":"","id":"x","more":1}', { event: '', data: undefined, id: 'x' }],
  ['{"event":"a","id":{}}', { event: 'a', data: undefined }],
])('%s is read', (text, message) => {
  expect(readMessage(text)).toEqual(message);
  expect(readMessage(new TextEncoder().encode(text))).toEqual(message);
});

test.each(['', '{', 'null', '1', '"event"', '[]', '{}', '{"data":1}', '{"event":1}', '{"event":null}'])(
  '%j is no message',
  (text) => {
    expect(readMessage(text)).toBeUndefined();
  },
);

test('bytes that are no UTF-8 are no message', () => {
  expect(readMessage(Uint8Array.of(0xff, 0xfe))).toBeUndefined();
});

test.each([
  [1, '{"event":"a","data":1}'],
  ['', '{"event":"a","data":""}'],
  [[], '{"event":"a","data":[]}'],
  [{ data: 1 }, '{"event":"a","data":{"data":1}}'],
  [{ event: 1 }, '{"event":"a","data":{"event":1}}'],
  [{ event: 'b', data: 1 }, '{"event":"b","data":1}'],
  [{ event: 'b' }, '{"event":"b"}'],
  [
    new (class {
      event = 'b';
    })(),
    '{"event":"b"}',
  ],
])('%j is answered as %s', (value, text) => {
  expect(answerTo({ event: 'a' }, value)).toBe(text);
});

test('undefined and null are no answer', () => {
  expect([undefined, null].map((value) => answerTo({ event: 'a', id: 1 }, value))).toEqual([
    undefined,
    undefined,
  ]);
});

test.each([0, 'x'])('the id %j is repeated', (id) => {
  expect(answerTo({ event: 'a', id }, 1)).toBe(JSON.stringify({ event: 'a', data: 1, id }));
  expect(answerTo({ event: 'a', id }, { event: 'b', id: 'own' })).toBe(JSON.stringify({ event: 'b', id }));
});
