// Writes docs/reference from the source: `npm run reference` writes, with `--check` it only says what has drifted.
//
// What stands there is taken from where it is decided: declarations and docstrings of the exported names by
// TypeScript's own parser, defaults and ranges of the limits by asking the built package, close codes from the table
// that the wire uses, and the words of refusals from the lines that say them. Nothing is written down twice.

import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { API, SymbolFlags } from 'typescript/unstable/sync';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = join(root, 'docs/reference');
const built = (file) =>
  import(join(root, 'dist', file)).catch((error) => {
    throw new Error(`${error.message}; npm run build makes dist/`);
  });
const source = (file) => readFileSync(join(root, 'src', file), 'utf8');

/** Which page an exported name is on; every other name is on `types.md`. */
const pages = [
  {
    file: 'server.md',
    title: 'Servers and paths',
    names:
      'createServer newServer startServer stopServer getServer Server StopOptions StopReport Path Received Lifecycle Failure ServerStats ServerState',
  },
  { file: 'options.md', title: 'Options and limits', names: 'ServerOptions', more: limitTable },
  {
    file: 'handlers.md',
    title: 'Handlers',
    names: 'Handlers Message Fragment HandshakeRequest PlainRequest Acceptance Verdict HttpResponse Decision',
  },
  {
    file: 'connection.md',
    title: 'Connections',
    names: 'Connection SendResult CloseReport ConnectionState prepare EncodedMessage ConnectionStats',
  },
  {
    file: 'errors.md',
    title: 'Errors',
    names:
      'PortalError PeerError ProtocolError LimitError InvalidMessageError HandshakeError ConnectionLostError UserError OptionError NoMessageHandlerError NameTakenError UnknownServerError InternalError',
    more: httpAnswers,
  },
  {
    file: 'typed-messages.md',
    title: 'Typed messages',
    names: 'Typing AnyCodec StandardSchema SchemaIssue Codec json',
  },
  { file: 'close-codes.md', title: 'Close codes', names: 'CloseKeyword', more: closeCodes },
  { file: 'diagnostics.md', title: 'Diagnostics channels', names: '', more: diagnostics },
  {
    file: 'machines.md',
    title: 'The machines and their events',
    names: 'connectionMachine ConnectionEvent FrameName serverMachine ServerEvent InspectionObserver',
  },
];

const api = new API({ cwd: root });
const project = api.updateSnapshot({ openProjects: [join(root, 'tsconfig.json')] }).getProjects()[0];
const { checker, program } = project;

/** The names that a module exports, each with the symbol that it stands for. */
function exportsOf(file) {
  const module = checker.getSymbolAtLocation(program.getSourceFile(join(root, file)));
  const symbols = checker.getExportsOfModule(module).map((symbol) => {
    const target = symbol.flags & SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
    return [symbol.name, target];
  });
  return new Map(symbols);
}

const tagsOf = (symbol) => checker.getJsDocTagsOfSymbol(symbol);
const isInternal = (symbol) => tagsOf(symbol).some(({ name }) => name === 'internal');

/** Docstring and tags as paragraphs. */
function docOf(symbol) {
  const text = checker.getDocumentationCommentOfSymbol(symbol).trim();
  const throws = tagsOf(symbol)
    .filter(({ name }) => name === 'throws')
    .map((tag) => `Throws ${typeof tag.text === 'string' ? tag.text : tag.text.map((t) => t.text).join('')}`);
  return [text, ...throws]
    .filter((paragraph) => paragraph !== '')
    .map(oneLine)
    .join('\n\n');
}

/** Lines of a paragraph are one line, unless they are set in; paragraphs stay apart. */
const oneLine = (text) =>
  text
    .split(/\n\s*?\n/)
    .map((part) =>
      /^ {2}/.test(part)
        ? `\`\`\`text\n${part.replace(/^ {2}/gm, '')}\n\`\`\``
        : part.replace(/\s*\n\s*/g, ' '),
    )
    .join('\n\n');

/** What a declaration says up to its body, on one line. */
function signatureOf(node) {
  const { text } = node.getSourceFile();
  const end = node.body ? node.body.pos : node.initializer && node.type ? node.type.end : node.end;
  return text
    .slice(node.getStart(), end)
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/^\s*\/\/.*$/gm, '')
    .replace(/^export (declare )?/, '')
    .replace(/\s+/g, ' ')
    .replace(/\(\s+/g, '(')
    .replace(/,?\s+\)/g, ')')
    .replace(/: \| /g, ': ')
    .replace(/= \| /, '= ')
    .replace(/;?\s*$/, '');
}

/** The docstring of a declaration whose name is computed. */
const commentOf = (node) =>
  oneLine(
    /\/\*\*([\s\S]*?)\*\/\s*$/
      .exec(node.getSourceFile().text.slice(node.pos, node.getStart()))?.[1]
      ?.replace(/^\s*\* ?/gm, '')
      .trim() ?? '',
  );

const indented = (text) => text.replace(/\n(?=.)/g, '\n  ');

/** One member of a class or an interface, as a list item. */
function memberOf(node) {
  const name = node.name?.text;
  if (node.name === undefined || name?.startsWith('#')) return '';
  const symbol = name === undefined ? undefined : checker.getSymbolAtLocation(node.name);
  if (symbol !== undefined && isInternal(symbol)) return '';
  const signature = signatureOf(node)
    .replace(/^(?:(?:readonly|override|abstract) )+/, '')
    .replace(/^(?:override )?get (.*?)\(\)/, '$1')
    .replace(/^(\w+) = /, '$1: ');
  const doc = symbol === undefined ? commentOf(node) : docOf(symbol);
  return `- \`${signature}\`${doc === '' ? '' : `\n\n  ${indented(doc)}`}\n`;
}

const values = await built('index.js');
const described = (name) =>
  `${values[name].description ?? `The statechart "${values[name].id}".`} See [its diagram](../diagrams).`;

/** One exported name. */
function entryOf(name, symbol) {
  const nodes = symbol.declarations.map((handle) => handle.resolve(project));
  const [node] = nodes;
  const doc = docOf(symbol);
  const head = `## ${name}\n\n${doc === '' ? '' : `${doc}\n\n`}`;
  if (node.members === undefined || node.type !== undefined) {
    // A machine describes itself, and its type would fill pages.
    if (symbol.flags & SymbolFlags.Variable) return doc === '' ? `${head}${described(name)}\n` : head;
    const signatures = nodes.map((declared) =>
      signatureOf(declared).replace(/(?<=^(async )?function )\w+/, name),
    );
    return `${head}\`\`\`text\n${signatures.map(inLines).join('\n')}\n\`\`\`\n`;
  }
  const { text } = node.getSourceFile();
  const parents = node.heritageClauses?.map((clause) => text.slice(clause.pos, clause.end).trim());
  const line = parents?.length ? `\`${parents.join(' ').replace(/\s+/g, ' ')}\`\n\n` : '';
  return `${head}${line}${node.members.map(memberOf).filter(Boolean).join('')}`;
}

/** A union of objects has a line for each. */
const inLines = (signature) => signature.replace(/(?: \||(?<==)) (?=\{ readonly type)/g, '\n  | ');

function page(title, entries, more = '') {
  const note = '<!-- Made from the source by `npm run reference`; edit the docstrings there. -->';
  return `${[note, `# ${title}`, more, ...entries]
    .filter(Boolean)
    .join('\n\n')
    .replace(/\n{3,}/g, '\n\n')
    .trim()}\n`;
}

/** A cell of a table. */
const cell = (text) => text.replace(/\n+/g, ' ').replaceAll('|', '\\|');
const table = (head, rows) =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.map(cell).join(' | ')} |`).join('\n');
const number = (value) => value.toLocaleString('en-GB').replace('∞', 'Infinity');

/** Each limit with its default and its range, as the built package says them. */
async function limitTable(symbols) {
  const { readOptions } = await built('api/options.js');
  const defaults = readOptions({ port: 0 });
  const rows = symbols
    .get('Limits')
    .declarations[0].resolve(project)
    .members.map((member) => {
      const name = member.name.text;
      const allowed = rangeOf(() => readOptions({ port: 0, [name]: Number.NaN }));
      const range = allowed
        .replace('a whole number from ', '')
        .replace(/\d{4,}/g, (digits) => number(+digits));
      return [`\`${name}\``, number(defaults[name]), range, docOf(checker.getSymbolAtLocation(member.name))];
    });
  const intro = `${docOf(symbols.get('Limits'))} A value outside what is allowed is an \`OptionError\`.`;
  return `## Limits\n\n${intro}\n\n${table(['Limit', 'Default', 'Allowed', 'What it is'], rows)}`;
}

function rangeOf(attempt) {
  try {
    attempt();
  } catch (error) {
    return error.message.split('allowed is ')[1];
  }
  throw new Error('NaN was taken for a limit');
}

async function closeCodes() {
  const { closeKeywords, isWireCloseCode } = await built('io/close-payload.js');
  const keyword = Object.fromEntries(Object.entries(closeKeywords).map(([name, code]) => [code, name]));
  const meaning = {
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
    1014: 'a bad answer from behind a gateway',
    1015: 'reported where TLS failed',
  };
  const rows = Object.entries(meaning).map(([code, text]) => [
    code,
    keyword[code] ? `\`${keyword[code]}\`` : '',
    isWireCloseCode(+code) ? 'yes' : 'no',
    text,
  ]);
  rows.push([
    '3000–3999',
    '',
    isWireCloseCode(3000) && isWireCloseCode(3999) ? 'yes' : 'no',
    'registered with IANA',
  ]);
  rows.push(['4000–4999', '', isWireCloseCode(4000) && isWireCloseCode(4999) ? 'yes' : 'no', 'your own']);
  const own = reasonsIn(
    'io/frame-decoder.ts',
    'io/close-payload.ts',
    'machines/connection-machine.ts',
    'api/session.ts',
  );
  return [
    'Which codes `connection.close` and `server.stop` take; every other one is a `RangeError` at the call (RFC 6455 7.4).',
    table(['Code', 'Keyword', 'May be sent', 'Meaning'], rows),
    '## What Portal itself closes with\n\nThe reason goes to the peer as it stands here, and into the report of `onClose`; what stands in braces is filled in.',
    table(['Code', 'Reason'], own),
    'Without a Close frame, a report says 1006 and one of: `pong deadline passed`, `write deadline passed`, `close deadline passed`, or nothing, when the peer or `terminate()` broke it off.',
  ].join('\n\n');
}

/** Close codes with their reasons, from the lines that give them. */
function reasonsIn(...files) {
  const quoted = `(['"\`])(.*?)\\1`;
  const found = new Map();
  for (const text of files.map(source)) {
    for (const pattern of [
      RegExp(`\\bfail(?:ed)?\\(([1]\\d{3}), ${quoted.replace('\\1', '\\2')}`, 'g'),
      RegExp(`code: (1\\d{3}), reason: ${quoted.replace('\\1', '\\2')}`, 'g'),
    ]) {
      for (const [, code, , reason] of text.matchAll(pattern)) if (reason !== '') found.set(reason, code);
    }
    for (const [, , reason, code] of text.matchAll(
      RegExp(`const reason = ${quoted};[\\s\\S]{0,400}?code: (1\\d{3}), reason \\}`, 'g'),
    ))
      found.set(reason, code);
  }
  found.delete('');
  return [...found]
    .map(([reason, code]) => [code, `\`${inBraces(reason)}\``])
    .sort(([a, x], [b, y]) => a.localeCompare(b) || x.localeCompare(y));
}

/** A template's holes by the name of what stands in them. */
const inBraces = (text) =>
  text
    .replace(/\$\{VERSION\}/g, 'HTTP/1.1')
    .replace(/\.slice\(.*?\)/g, '')
    .replace(/\$\{(?:[^{}]*\.#?)?(\w+)[^{}]*\}/g, '{$1}');

/** The HTTP answers to a handshake that is refused, from the lines that give them. */
async function httpAnswers() {
  const { checkOrigin } = await built('io/origin.js');
  const { upgradeRequired } = await built('io/handshake.js');
  const files = [
    'io/request-head.ts',
    'io/handshake.ts',
    'io/origin.ts',
    'api/handshaking.ts',
    'api/admission.ts',
  ];
  const found = new Map();
  const calls = /(?:refusal|refuse|#fail)\(\s*([45]\d\d),\s*(['"`])([\s\S]*?)\2/g;
  for (const [, status, , text] of files.map(source).join('\n').matchAll(calls))
    found.set(inBraces(text), status);
  const origin = checkOrigin('https://example.com', 'localhost', '127.0.0.1', { kind: 'own' });
  const { NOT_TLS } = await built('io/request-head.js');
  found.set(NOT_TLS, 400);
  found.set(origin.message, 403);
  found.set(upgradeRequired().body.trim(), 426);
  const rows = [...found].map(([text, status]) => [`${status}`, text]).sort(([a], [b]) => a - b);
  return [
    'What can go wrong, as classes; each instance has a stable `code` and says whose `fault` it is. What your own handlers throw comes to `onError` and `errors$` as it was thrown. A wrong close code, a reason or a control payload that is too long is a plain `RangeError`, and a value that cannot be sent a `TypeError`, both at the call.',
    '## HTTP answers\n\nA handshake that is refused is answered with a status and one line of text, and is a `HandshakeError` on `errors$`. These are among them; what stands in braces is filled in.',
    table(['Status', 'Text'], rows),
  ].join('\n\n');
}

async function diagnostics() {
  const { connectionChannels, serverChannels } = await built('api/inspection.js');
  const rows = (channels) => Object.values(channels).map(({ name }) => [`\`${name}\``]);
  return [
    'Each change of state is published on a channel of `node:diagnostics_channel`, whose name ends in the new state. Nothing is made where nobody has subscribed.',
    '## Connections\n\nThe message has the form of [`Lifecycle`](server.md#lifecycle): `{ connection, from, to, event, at }`.',
    table(['Channel'], rows(connectionChannels)),
    '## Servers\n\nThe message is `{ server, from, to, at }`, with `error` when the server failed.',
    table(['Channel'], rows(serverChannels)),
  ].join('\n\n');
}

async function makePages() {
  const symbols = exportsOf('src/index.ts');
  const placed = new Set(['Limits']);
  const made = new Map();
  const contents = [];
  const add = (file, title, names, text) => {
    made.set(file, text);
    contents.push([file, title, names]);
  };
  for (const { file, title, names, more } of pages) {
    const here = names.split(' ').filter((name) => symbols.has(name));
    for (const name of here) placed.add(name);
    const entries = here.map((name) => entryOf(name, symbols.get(name)));
    add(file, title, here, page(title, entries, await more?.(symbols)));
  }
  const rest = [...symbols.keys()].filter((name) => !placed.has(name)).sort();
  const others = rest.map((name) => entryOf(name, symbols.get(name)));
  add('types.md', 'Everything else that is exported', rest, page('Everything else that is exported', others));
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  for (const [path, { types }] of Object.entries(exports)) {
    if (path === '.' || types === undefined) continue;
    const entry = types.replace('./dist/', 'src/').replace('.d.ts', '.ts');
    const own = exportsOf(entry);
    const title = `portal-ws${path.slice(1)}`;
    const intro = source(entry.replace('src/', '')).match(/^\/\*\*([\s\S]*?)\*\//)?.[1] ?? '';
    const text = page(
      title,
      [...own].map(([name, symbol]) => entryOf(name, symbol)),
      oneLine(intro.replace(/^ \* ?/gm, '').trim()),
    );
    add(`${path.slice(2).replaceAll('/', '-')}.md`, title, [...own.keys()], text);
  }
  const list = contents.map(([file, title, names]) => {
    const shown = names.map((name) => `[\`${name}\`](${file}#${name.toLowerCase()})`).join(', ');
    return `- [${title}](${file})${shown === '' ? '' : `: ${shown}`}`;
  });
  const intro =
    'Everything that `portal-ws` exports. These pages are made from the source by `npm run reference`, and a test fails when they have drifted.';
  made.set('README.md', page('Reference', [list.join('\n')], intro));
  return made;
}

const read = (file) => {
  try {
    return readFileSync(join(folder, file), 'utf8');
  } catch {
    return undefined;
  }
};

/** Pages as `npm run format` leaves them. */
function formatted(file, text) {
  const biome = join(root, 'node_modules/@biomejs/biome/bin/biome');
  const args = [biome, 'format', '--stdin-file-path', join(folder, file)];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, {
    cwd: root,
    input: text,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${file}: ${stderr}`);
  return stdout;
}

const made = new Map([...(await makePages())].map(([file, text]) => [file, formatted(file, text)]));
api.close();
mkdirSync(dirname(join(folder, 'x')), { recursive: true });
const stale = readdirSync(folder).filter((file) => !made.has(file));
const drifted = [...made].filter(([file, text]) => read(file) !== text).map(([file]) => file);
if (process.argv.includes('--check')) {
  const wrong = [...drifted, ...stale].map((file) => `docs/reference/${file}`);
  if (wrong.length > 0)
    console.error(`${wrong.join(', ')}: not what the source says; npm run reference writes them`);
  process.exitCode = wrong.length > 0 ? 1 : 0;
} else {
  for (const [file, text] of made) writeFileSync(join(folder, file), text);
  for (const file of stale) rmSync(join(folder, file));
}
