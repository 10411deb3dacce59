// The public types, as users meet them. `npm run types` is the judge; nothing here is ever called.

import type { Observable } from 'rxjs';
import { expectTypeOf } from 'vitest';
import type {
  CloseKeyword,
  CloseReport,
  Connection,
  ConnectionEvent,
  ConnectionState,
  Decision,
  EncodedMessage,
  Failure,
  Fragment,
  Handlers,
  HandshakeError,
  HttpResponse,
  Lifecycle,
  LimitError,
  Limits,
  Message,
  OptionError,
  Overflow,
  Params,
  ParamsOf,
  Path,
  PlainRequest,
  PortalError,
  PresenceChange,
  ProtocolError,
  PublishReport,
  Received,
  SendResult,
  Server,
  ServerOptions,
  ServerState,
  StopReport,
  Topic,
  TopicParamsOf,
} from '../src/index.ts';
import * as portal from '../src/index.ts';

const { createServer, getServer, newServer, prepare, startServer, stopServer } = portal;

export function parametersAreThoseOfThePattern(server: Server) {
  type Price = { readonly symbol: string; readonly currency: string };
  server.path('/prices/:symbol/:currency', {
    onOpen: ({ params }) => expectTypeOf(params).toEqualTypeOf<Price>(),
    authorize: ({ params }) => {
      expectTypeOf(params).toEqualTypeOf<Price>();
      return true;
    },
  });
  server.path('/prices/:symbol/:currency', {
    // @ts-expect-error a verdict is given, not forgotten
    authorize: () => {},
  });
  server.path('/prices/:symbol/:currency').connections$.subscribe(({ params }) => {
    expectTypeOf(params).toEqualTypeOf<Price>();
  });
  // @ts-expect-error a parameter that the pattern does not have
  server.path('/prices/:symbol', { onOpen: ({ params }) => params.symbl });

  expectTypeOf<ParamsOf<'/:a/b/:c/*'>>().toEqualTypeOf<{
    readonly a: string;
    readonly c: string;
    readonly '*': string;
  }>();
  expectTypeOf<ParamsOf<'*'>>().toEqualTypeOf<{ readonly '*': string }>();
  expectTypeOf<keyof ParamsOf<'/echo'>>().toEqualTypeOf<never>();
  expectTypeOf<ParamsOf<string>>().toEqualTypeOf<Params>();
}

export function dataAreWhatAuthorizeGives(server: Server) {
  type User = { readonly name: string };
  const path = server.path('/sync', {
    onOpen: ({ data }) => expectTypeOf(data).toEqualTypeOf<User>(),
    authorize: (): { data: User } => ({ data: { name: 'ada' } }),
    onMessage: ({ data }) => expectTypeOf(data).toEqualTypeOf<User>(),
    onFragment: ({ data }) => expectTypeOf(data).toEqualTypeOf<User>(),
    onClose: ({ data }) => expectTypeOf(data).toEqualTypeOf<User>(),
    onError: ({ data }) => expectTypeOf(data).toEqualTypeOf<User>() && 'continue',
  });
  expectTypeOf(path).toEqualTypeOf<Path<User, ParamsOf<'/sync'>>>();
  expectTypeOf(path.messages$).toEqualTypeOf<Observable<Received<User, ParamsOf<'/sync'>>>>();

  // One that takes its arguments is read by TypeScript in its turn: it stands before the handlers that use its data.
  server.path('/async', {
    async authorize({ headers, origin, subprotocols, query }, signal) {
      expectTypeOf(signal).toEqualTypeOf<AbortSignal>();
      expectTypeOf(origin).toEqualTypeOf<string | undefined>();
      expectTypeOf(subprotocols).toEqualTypeOf<readonly string[]>();
      expectTypeOf(query).toEqualTypeOf<URLSearchParams>();
      if (headers.authorization === undefined) return { status: 401, body: 'who are you?' };
      if (headers.authorization === 'nobody') return false;
      return { data: { name: headers.authorization }, subprotocol: 'v1', headers: { 'X-Hello': 'you' } };
    },
    onMessage: ({ data }) => expectTypeOf(data).toEqualTypeOf<{ name: string }>(),
  });

  server.path('/nobody', { onMessage: ({ data }) => expectTypeOf(data).toEqualTypeOf<undefined>() });
  expectTypeOf(server.path<User>('/said')).toEqualTypeOf<Path<User, Params>>();
  // @ts-expect-error a string is no verdict
  server.path('/wrong', { authorize: () => 'yes' });
}

export function aConnection(connection: Connection<{ id: number }, { readonly room: string }>) {
  expectTypeOf<Message>().toEqualTypeOf<string | Uint8Array>();
  expectTypeOf<SendResult>().toEqualTypeOf<'sent' | 'queued' | 'dropped' | 'closed'>();
  expectTypeOf(connection.send('text')).toEqualTypeOf<SendResult>();
  expectTypeOf(connection.send(Uint8Array.of(1), { key: 'latest' })).toEqualTypeOf<SendResult>();
  expectTypeOf(prepare('text')).toEqualTypeOf<EncodedMessage>();
  connection.send(prepare(Uint8Array.of(1)));
  // @ts-expect-error JSON is for the sender to make
  connection.send({ hello: 'you' });
  // @ts-expect-error a number is not a message
  connection.send(42);
  expectTypeOf(connection.sendFragments(['a', 'b'])).toEqualTypeOf<Promise<SendResult>>();

  connection.close();
  connection.close('going-away', 'bye');
  connection.close(4321);
  // @ts-expect-error no such keyword
  connection.close('goodbye');
  expectTypeOf<CloseKeyword>().toEqualTypeOf<
    | 'normal'
    | 'going-away'
    | 'protocol-error'
    | 'invalid-type'
    | 'inconsistent-type'
    | 'policy-violation'
    | 'oversize'
    | 'extension-negotiation-failure'
    | 'fatal'
  >();

  expectTypeOf(connection.state).toEqualTypeOf<
    'handshaking' | 'open' | 'fragmenting' | 'closing' | 'closed'
  >();
  expectTypeOf(connection.data).toEqualTypeOf<{ id: number }>();
  expectTypeOf(connection.params.room).toEqualTypeOf<string>();
  expectTypeOf(connection.headers).toEqualTypeOf<Readonly<Record<string, string>>>();
  expectTypeOf(connection.origin).toEqualTypeOf<string | undefined>();
  expectTypeOf(connection.drained()).toEqualTypeOf<Promise<void>>();
  // @ts-expect-error what authorize attached is for reading
  connection.data = { id: 1 };

  expectTypeOf(connection.messages$).toEqualTypeOf<Observable<Message>>();
  expectTypeOf(connection.fragments$).toEqualTypeOf<Observable<Fragment>>();
  expectTypeOf(connection.pings$).toEqualTypeOf<Observable<Uint8Array>>();
  expectTypeOf(connection.pongs$).toEqualTypeOf<Observable<Uint8Array>>();
  expectTypeOf(connection.drain$).toEqualTypeOf<Observable<void>>();
  expectTypeOf(connection.state$).toEqualTypeOf<Observable<ConnectionState>>();
  expectTypeOf(connection.closed$).toEqualTypeOf<Observable<CloseReport>>();
  expectTypeOf(connection).toExtend<AsyncIterable<Message>>();
  expectTypeOf<CloseReport>().toEqualTypeOf<{
    readonly code: number;
    readonly reason: string;
    readonly wasClean: boolean;
    readonly initiator: 'server' | 'peer';
  }>();
  expectTypeOf<Fragment>().toEqualTypeOf<{
    readonly data: Message;
    readonly opcode: 'text' | 'binary';
    readonly first: boolean;
    readonly final: boolean;
  }>();
}

export function aServer(server: Server) {
  expectTypeOf(server.start()).toEqualTypeOf<Promise<Server>>();
  expectTypeOf(server.stop({ code: 'going-away', reason: 'bye', deadline: 100 })).toEqualTypeOf<
    Promise<StopReport>
  >();
  expectTypeOf(server.state).toEqualTypeOf<ServerState>();
  expectTypeOf(server.address()?.port).toEqualTypeOf<number | undefined>();
  expectTypeOf(server.connections).toEqualTypeOf<ReadonlySet<Connection>>();
  expectTypeOf(server.connections$).toEqualTypeOf<Observable<Connection>>();
  expectTypeOf(server.messages$).toEqualTypeOf<Observable<Received>>();
  expectTypeOf(server.lifecycle$).toEqualTypeOf<Observable<Lifecycle>>();
  expectTypeOf(server.errors$).toEqualTypeOf<Observable<Failure>>();
  expectTypeOf<Lifecycle['event']>().toEqualTypeOf<ConnectionEvent['type']>();
  expectTypeOf(server.path('/chat').broadcast('to all')).toEqualTypeOf<number>();
}

export function aServerByName() {
  expectTypeOf(newServer).parameters.toEqualTypeOf<[name: string, options?: ServerOptions | undefined]>();
  expectTypeOf(newServer).returns.toEqualTypeOf<Server>();
  expectTypeOf(getServer).returns.toEqualTypeOf<Server | undefined>();
  expectTypeOf(startServer('test')).toEqualTypeOf<Promise<Server>>();
  expectTypeOf(stopServer('test', { deadline: 100 })).toEqualTypeOf<Promise<StopReport>>();
}

export function theOptions() {
  createServer({});
  createServer();
  createServer({ socketPath: '/run/app.sock', socketMode: 0o660 });
  createServer({ listeners: [{ port: 443, tls: { key: '', cert: '' } }, { fd: 3 }] });
  // @ts-expect-error no such option of a place
  createServer({ listeners: [{ port: 443, cap: 1 }] });
  // @ts-expect-error the cap is a number of bytes
  createServer({ port: 0, cap: '1MB' });
  // @ts-expect-error no such option
  createServer({ port: 0, maxPayload: 1 });
  // @ts-expect-error several origins or one, they stand in a list
  createServer({ port: 0, origins: 'https://example.com' });
  // @ts-expect-error a path has handlers
  createServer({ port: 0, paths: { '/echo': () => {} } });
  // @ts-expect-error no such handler
  createServer({ port: 0, paths: { '/echo': { onmessage() {} } } });

  // What is undefined is as if it were not there, so that options may come from the environment.
  createServer({ port: 0, cap: undefined, host: undefined, origins: undefined, onMessage: undefined });
  createServer({
    port: 0,
    origins: '*',
    overflow: 'drop-oldest',
    paths: {
      '/echo/:name': {
        onMessage(connection, message) {
          expectTypeOf(connection.params).toEqualTypeOf<Params>();
          expectTypeOf(message).toEqualTypeOf<Message>();
        },
      },
    },
    onRequest(request) {
      expectTypeOf(request).toEqualTypeOf<PlainRequest>();
      return request.path === '/health' ? { status: 200, body: 'well' } : undefined;
    },
  });
  expectTypeOf<Overflow>().toEqualTypeOf<'close' | 'drop' | 'drop-oldest'>();
  expectTypeOf<Limits[keyof Limits]>().toEqualTypeOf<number>();
  expectTypeOf<HttpResponse['body']>().toEqualTypeOf<string | Uint8Array | undefined>();
}

export function theHandlers(handlers: Required<Handlers>) {
  expectTypeOf<Decision>().toEqualTypeOf<'close' | 'continue' | 'retry'>();
  expectTypeOf(handlers.onError).parameters.toEqualTypeOf<[connection: Connection, error: unknown]>();
  expectTypeOf(handlers.onClose).parameters.toEqualTypeOf<[connection: Connection, report: CloseReport]>();
  const decided: Handlers = { onError: () => 'retry' };
  const undecided: Handlers = { onError: () => {} };
  // @ts-expect-error no such decision
  const wrong: Handlers = { onError: () => 'ignore' };
  void [decided, undecided, wrong];
}

export function theErrors(error: PortalError) {
  expectTypeOf(error).toExtend<Error>();
  expectTypeOf(error.code).toEqualTypeOf<string>();
  expectTypeOf(error.fault).toEqualTypeOf<'peer' | 'user'>();
  expectTypeOf<LimitError['code']>().toEqualTypeOf<'ERR_LIMIT'>();
  expectTypeOf<LimitError['fault']>().toEqualTypeOf<'peer'>();
  expectTypeOf<OptionError['fault']>().toEqualTypeOf<'user'>();
  expectTypeOf<LimitError['limit']>().toEqualTypeOf<string>();
  expectTypeOf<ProtocolError['closeCode']>().toEqualTypeOf<number>();
  expectTypeOf<HandshakeError['status']>().toEqualTypeOf<number>();
  if (error instanceof portal.OptionError) expectTypeOf(error.option).toEqualTypeOf<string>();
}

export function topicsAreTypedByTheirPattern(server: Server) {
  const prices = server.topics('price.:symbol.:currency', {
    codec: { decode: (message: Message) => Number(message), encode: (value: number) => `${value}` },
    presence: (connection) => connection.remoteAddress,
    history: { size: 10 },
  });
  type Price = { readonly symbol: string; readonly currency: string };
  const gold = prices.topic({ symbol: 'GOLD', currency: 'EUR' });
  expectTypeOf(gold.params).toEqualTypeOf<Price>();
  gold.messages$.subscribe((message) => expectTypeOf(message).toEqualTypeOf<number>());
  expectTypeOf(gold.presence).toEqualTypeOf<ReadonlyMap<string, string>>();
  gold.presence$.subscribe((change) => expectTypeOf(change).toEqualTypeOf<PresenceChange<string>>());
  expectTypeOf(gold.publish(42, { key: 'price' })).toEqualTypeOf<PublishReport>();
  gold.publish(prepare('42'));
  // @ts-expect-error the codec takes numbers
  gold.publish('42');
  // @ts-expect-error a parameter is missing
  prices.topic({ symbol: 'GOLD' });
  expectTypeOf<TopicParamsOf<'/rooms/:id/*'>>().toEqualTypeOf<{
    readonly id: string;
    readonly '*': string;
  }>();
  expectTypeOf<TopicParamsOf<'log.*'>>().toEqualTypeOf<{ readonly '*': string }>();
  expectTypeOf<keyof TopicParamsOf<'news'>>().toEqualTypeOf<never>();
}

export function plainTopicsHavePlainMessages(server: Server) {
  const topic = server.topic('news');
  expectTypeOf(topic).toEqualTypeOf<Topic>();
  topic.messages$.subscribe((message) => expectTypeOf(message).toEqualTypeOf<Message>());
  topic.joined$.subscribe((connection) => expectTypeOf(connection).toEqualTypeOf<Connection>());
  // @ts-expect-error objects need a codec
  topic.publish({ a: 1 });
  const shown = server.topics('rooms.:id', { presence: true }).topic({ id: 'a' });
  expectTypeOf(shown.presence).toEqualTypeOf<ReadonlyMap<string, undefined>>();
}

export function connectionsOfAnyPathJoin(server: Server) {
  server.path('/rooms/:room', {
    codec: { decode: (message: Message) => Number(message), encode: (value: number) => `${value}` },
    authorize: ({ params, query }) => ({
      data: { name: 'ada' },
      join: ['news', { topic: params.room, since: query.get('since'), first: ({ position }) => position }],
    }),
    onMessage(connection, message) {
      expectTypeOf(connection.join('a', { positions: true })).toEqualTypeOf<boolean>();
      expectTypeOf(connection.topics).toEqualTypeOf<string[]>();
      server.topic('a').publish(`${message}`, { except: connection });
      server.topic('a').publish('b', { except: connection.uid });
    },
  });
  server.path('/wrong', {
    // @ts-expect-error a topic has a name
    authorize: () => ({ join: [{ since: 'a.1' }] }),
  });
}
