// What the code decides, as tables: limits, close codes, HTTP answers, diagnostics channels. All of it is asked of the
// built package, so that no value is written down twice.
import { connectionChannels, serverChannels } from '../../dist/api/inspection/channels.js';
import { readOptions } from '../../dist/api/options/options.js';
import { faults } from '../../dist/io/faults.js';
import { closeKeywords, isWireCloseCode } from '../../dist/io/frames/close-payload.js';
import { code, table } from './markdown.mjs';

const number = (value) => value.toLocaleString('en-GB').replace('∞', 'Infinity');

/** The range of a limit, from the error that a wrong value gets. */
function rangeOf(name) {
  try {
    readOptions({ port: 0, [name]: Number.NaN });
  } catch (error) {
    return error.message
      .split('allowed is ')[1]
      .replace('a whole number from ', '')
      .replace(/\d{4,}/g, (digits) => number(+digits));
  }
  throw new Error(`NaN was accepted for ${name}`);
}

/** Each limit with its default and its range. `limits` is the symbol of the interface. */
export function limitTable({ docOf, membersOf }, limits) {
  const defaults = readOptions({ port: 0 });
  const rows = membersOf(limits).map(({ name, doc }) => [
    code(name),
    number(defaults[name]),
    rangeOf(name),
    doc,
  ]);
  return [
    '## Limits',
    `${docOf(limits)} A value outside what is allowed is an \`OptionError\`.`,
    table(['Limit', 'Default', 'Allowed', 'What it is'], rows),
  ].join('\n\n');
}

/** RFC 6455 7.4.1 and the registry of IANA. */
const meanings = {
  1000: 'normal closure',
  1001: 'going away: a server that stops, a page that is left',
  1002: 'a violation of the protocol',
  1003: 'a kind of data that is not accepted',
  1004: 'reserved',
  1005: 'reported where a Close carried no code',
  1006: 'reported where the connection was lost without a Close',
  1007: 'data that does not fit its type, such as text that is not UTF-8',
  1008: 'against a policy',
  1009: 'too large',
  1010: 'a client missed an extension',
  1011: 'an internal error of the server',
  1012: 'the server restarts',
  1013: 'try again later',
  1014: 'a gateway got a bad answer from the server behind it',
  1015: 'reported where TLS failed',
};
const ranges = [
  [3000, 3999, 'registered with IANA'],
  [4000, 4999, 'your own'],
];

const rows = Object.values(faults);

export function closeCodes() {
  const keywords = Object.fromEntries(Object.entries(closeKeywords).map(([name, value]) => [value, name]));
  const yes = (...codes) => (codes.every(isWireCloseCode) ? 'yes' : 'no');
  const known = Object.entries(meanings).map(([value, text]) => [
    value,
    code(keywords[value]),
    yes(+value),
    text,
  ]);
  const others = ranges.map(([from, to, text]) => [`${from}–${to}`, '', yes(from, to), text]);
  const sent = rows.filter((row) => isWireCloseCode(row.code));
  const lost = rows.filter((row) => row.code === 1006 && row.reason !== '');
  return [
    'Which codes `connection.close` and `server.stop` take; every other one is a `RangeError` at the call (RFC 6455 7.4).',
    table(['Code', 'Keyword', 'May be sent', 'Meaning'], [...known, ...others]),
    '## What Portal itself closes with\n\nThe reason goes to the peer as it stands here, and into the report of `onClose`; what stands in braces is filled in.',
    table(
      ['Code', 'Reason', 'Option'],
      unique(sent.map((row) => [row.code, code(row.reason), code(row.limit)])),
    ),
    `Without a Close frame, a report says 1006 and one of: ${lost.map(({ reason }) => code(reason)).join(', ')}; or nothing, when the peer or \`terminate()\` broke it off.`,
  ].join('\n\n');
}

/** The HTTP answers to a handshake that is refused. */
export function httpAnswers() {
  const answers = rows.filter((row) => row.code < 1000);
  const text = ({ reason }) =>
    reason === '{message}' ? '*a sentence that says which origin was refused, and why*' : reason;
  return [
    'What can go wrong, as classes; each instance has a stable `code` and says whose `fault` it is. What your own handlers throw comes to `onError` and `errors$` as it was thrown. A wrong close code, a reason or a control payload that is too long is a plain `RangeError`, and a value that cannot be sent a `TypeError`, both at the call.',
    '## HTTP answers\n\nA handshake that is refused is answered with a status and one line of text, and is a `HandshakeError` on `errors$`; what stands in braces is filled in.',
    table(['Status', 'Text', 'Option'], unique(answers.map((row) => [row.code, text(row), code(row.limit)]))),
  ].join('\n\n');
}

/** Rows of the table of faults without repetitions, by code. */
const unique = (cells) =>
  [...new Map(cells.map((row) => [row.join(), row])).values()].sort(([a], [b]) => a - b);

export function diagnostics() {
  const names = (channels) => Object.values(channels).map(({ name }) => [code(name)]);
  return [
    'Each change of state is published on a channel of `node:diagnostics_channel`, whose name ends in the new state. Nothing is made where nobody has subscribed.',
    '## Connections\n\nThe message has the form of [`Lifecycle`](server.md#lifecycle): `{ connection, from, to, event, at }`.',
    table(['Channel'], names(connectionChannels)),
    '## Servers\n\nThe message is `{ server, from, to, at }`, with `error` when the server failed.',
    table(['Channel'], names(serverChannels)),
  ].join('\n\n');
}
