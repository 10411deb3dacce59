// The pages of docs/reference: which name is on which page, and the index.
import { readFileSync } from 'node:fs';
import * as portal from '../../dist/index.js';
import { openProject } from './declarations.mjs';
import { page, paragraphs } from './markdown.mjs';
import { closeCodes, diagnostics, httpAnswers, limitTable } from './tables.mjs';

/** The pages of the main entry point. `intro` is a text, or a function of the project and the exports that gives it. */
const subjects = [
  {
    file: 'server.md',
    title: 'Servers and paths',
    names:
      'createServer newServer startServer stopServer getServer Server AnyHttpServer Attachment StopOptions StopReport Path Served ServeOptions Received Lifecycle Failure ServerStats ServerState',
  },
  {
    file: 'options.md',
    title: 'Options and limits',
    names:
      'ServerOptions ListenOptions ServerTlsOptions MemoryBudget PlainHandlers TypedHandlers OriginsOption OriginFunction TrustProxy Overflow Listener Accept Transport TransportListener TransportName Address Clock',
    intro: (project, symbols) => limitTable(project, symbols.get('Limits')),
  },
  {
    file: 'handlers.md',
    title: 'Handlers',
    names:
      'Handlers Message Fragment HandshakeRequest PlainRequest Acceptance Verdict HttpResponse HeadersInput Decision',
  },
  {
    file: 'connection.md',
    title: 'Connections',
    names: 'Connection SendResult CloseReport ConnectionState prepare EncodedMessage ConnectionStats',
  },
  {
    file: 'topics.md',
    title: 'Topics',
    names:
      'Topic PublishOptions PublishReport PresenceChange TopicPattern TopicOptions HistoryOptions TopicParamsOf JoinOptions TopicToJoin Found ServerBackplane LinkStats Gap Backplane Deliver Envelope BackplaneOptions encodeEnvelope decodeEnvelope BackplaneHistory BackplanePresence Position Retention Kept Missed',
  },
  {
    file: 'errors.md',
    title: 'Errors',
    names:
      'PortalError PeerError ProtocolError LimitError InvalidMessageError HandshakeError ConnectionLostError UserError OptionError NoMessageHandlerError SendLimitError SubscriberError NameTakenError UnknownServerError BackplaneError InternalError',
    intro: httpAnswers,
  },
  {
    file: 'typed-messages.md',
    title: 'Typed messages',
    names: 'Typing AnyCodec StandardSchema SchemaIssue Codec json',
  },
  { file: 'close-codes.md', title: 'Close codes', names: 'CloseKeyword', intro: closeCodes },
  { file: 'diagnostics.md', title: 'Diagnostics channels', names: '', intro: diagnostics },
  {
    file: 'machines.md',
    title: 'The machines and their events',
    names:
      'connectionMachine ConnectionActor ConnectionEvent FrameName serverMachine ServerActor ServerEvent Remaining linkMachine LinkActor LinkEvent LinkState InspectionObserver',
  },
];

const intro =
  'Everything that `portal-ws` exports. These pages are made from the source by `npm run reference`, and a test fails when they have drifted.';

/** All pages, as text by file. */
export async function makePages() {
  const project = openProject();
  try {
    const contents = [...mainPages(project), ...furtherPages(project)];
    const list = contents.map(({ file, title, names }) => {
      const links = names.map((name) => `[\`${name}\`](${file}#${name.toLowerCase()})`).join(', ');
      return `- [${title}](${file})${links && `: ${links}`}`;
    });
    return new Map([
      ...contents.map(({ file, text }) => [file, text]),
      ['README.md', page('Reference', intro, [list.join('\n')])],
    ]);
  } finally {
    project.close();
  }
}

function mainPages(project) {
  const values = new Map(Object.entries(portal));
  const symbols = project.exportsOf('src/index.ts');
  // A machine describes itself, and its type would fill pages.
  const describe = (name) => () => {
    const { description, id } = values.get(name);
    return `${description ?? `The statechart "${id}".`} See [its diagram](../diagrams).`;
  };
  const made = ({ file, title, names, intro }) => {
    const entries = names.map((name) => project.entryOf(name, symbols.get(name), describe(name)));
    return { file, title, names, text: page(title, intro?.(project, symbols), entries) };
  };
  const pages = subjects.map((subject) => {
    const names = subject.names.split(' ').filter((name) => symbols.has(name));
    return { ...subject, names };
  });
  // The limits are the table of options.md. Every name that no subject has is on a page of its own kind.
  const placed = new Set(['Limits', ...pages.flatMap(({ names }) => names)]);
  const others = [...symbols.keys()].filter((name) => !placed.has(name)).sort();
  pages.push({ file: 'types.md', title: 'Other types', names: others });
  return pages.map(made);
}

/** A page for each further entry point of the package; the opening comment of its file is the introduction. */
function furtherPages(project) {
  const read = (file) => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
  const { exports } = JSON.parse(read('package.json'));
  return Object.entries(exports)
    .filter(([path, { types }]) => path !== '.' && types !== undefined)
    .map(([path, { types }]) => {
      const source = types.replace('./dist/', 'src/').replace('.d.ts', '.ts');
      const symbols = project.exportsOf(source);
      const comment = /^\/\*\*([\s\S]*?)\*\//.exec(read(source))?.[1] ?? '';
      const title = `portal-ws${path.slice(1)}`;
      const entries = [...symbols].map(([name, symbol]) => project.entryOf(name, symbol));
      const file = `${path.slice(2).replaceAll('/', '-')}.md`;
      const text = page(title, paragraphs(comment.replace(/^ \* ?/gm, '').trim()), entries);
      return { file, title, names: [...symbols.keys()], text };
    });
}
