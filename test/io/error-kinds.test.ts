/** The first error of each kind is news, the others are counted. */
import { expect, test } from 'vitest';
import { ErrorKinds } from '../../src/io/error-kinds.ts';

const coded = (code: string) => Object.assign(new Error(`accept ${code}`), { code });

test('the first of each kind is news', () => {
  const errors = new ErrorKinds();
  const news = ['EMFILE', 'EMFILE', 'ECONNABORTED', 'EMFILE', 'ECONNABORTED'].map((code) =>
    errors.isNews(coded(code)),
  );
  expect(news).toEqual([true, false, true, false, false]);
  expect(errors.counts).toEqual(
    new Map([
      ['EMFILE', 3],
      ['ECONNABORTED', 2],
    ]),
  );
});

test('an error without a code is of the kind that its message says', () => {
  const errors = new ErrorKinds();
  const news = ['one', 'two', 'one'].map((message) => errors.isNews(new Error(message)));
  expect(news).toEqual([true, true, false]);
});

test('thousands of kinds take no more memory than a few: those beyond are one kind', () => {
  const errors = new ErrorKinds();
  const news = Array.from({ length: 5_000 }, (_, at) => errors.isNews(new Error(`the ${at}th`)));
  expect(news.filter(Boolean).length).toBe(errors.counts.size);
  expect(errors.counts.size).toBeLessThan(50);
  expect([...errors.counts.values()].reduce((sum, count) => sum + count)).toBe(5_000);
  expect(errors.isNews(new Error('the 0th'))).toBe(false);
  expect(errors.counts.get('the 0th')).toBe(2);
});
