/**
 * Portal: the WebSocket server in which every connection is a statechart.
 */

export type { Connection, SendOptions } from './api/connection/connection.ts';
export {
  BackplaneError,
  ConnectionLostError,
  HandshakeError,
  InternalError,
  InvalidMessageError,
  LimitError,
  NameTakenError,
  NoMessageHandlerError,
  OptionError,
  PeerError,
  PortalError,
  ProtocolError,
  SendLimitError,
  SubscriberError,
  UnknownServerError,
  UserError,
} from './api/errors.ts';
export type { InspectionObserver } from './api/inspection/inspection.ts';
export { type AnyCodec, type Codec, json, type Typing } from './api/messages/codec.ts';
export type { SchemaIssue, StandardSchema } from './api/messages/schema.ts';
export type { DeflateOptions, PerMessageDeflateOption } from './api/options/deflate.ts';
export type { ListenOptions } from './api/options/listeners.ts';
export { MemoryBudget } from './api/options/memory-budget.ts';
export type { PlainHandlers, ServerOptions, TypedHandlers } from './api/options/options.ts';
export type { StopOptions } from './api/options/stop-options.ts';
export type {
  Acceptance,
  Handlers,
  HandshakeRequest,
  PlainRequest,
  TopicToJoin,
  Verdict,
} from './api/paths/handlers.ts';
export type { Failure, Lifecycle, Path, Received } from './api/paths/path.ts';
export type { Params, ParamsOf } from './api/paths/router.ts';
export type { Served, ServeOptions } from './api/paths/serve.ts';
export type { AnyHttpServer, Attachment } from './api/server/http-server.ts';
export { createServer, getServer, newServer, startServer, stopServer } from './api/server/registry.ts';
export type { Server } from './api/server/server.ts';
export type { JoinOptions } from './api/topics/join-options.ts';
export type { ServerBackplane } from './api/topics/server-backplane.ts';
export type { PublishOptions, Topic } from './api/topics/topic.ts';
export type {
  HistoryOptions,
  TopicOptions,
  TopicParamsOf,
  TopicPattern,
} from './api/topics/topic-pattern.ts';
export type { Fragment, Message } from './connection/recipient.ts';
export type { Limits } from './connection/settings.ts';
export type { ConnectionStats } from './connection/stats.ts';
export type { CloseKeyword } from './io/frames/close-payload.ts';
export type { TrustProxy } from './io/http/forwarded.ts';
export type { HeadersInput } from './io/http/header-fields.ts';
export type { HttpResponse } from './io/http/http-response.ts';
export type { OriginFunction, OriginsOption } from './io/http/origin-rules.ts';
export type { Clock } from './io/time/clock.ts';
export type { ServerTlsOptions } from './io/transports/tls-identity.ts';
export type {
  Accept,
  Address,
  Listener,
  Transport,
  TransportListener,
  TransportName,
} from './io/transports/transport.ts';
export { type EncodedMessage, encodeMessage as prepare } from './io/writing/encoded-message.ts';
export type { Overflow, SendResult } from './io/writing/outbox-ports.ts';
export { type ConnectionActor, connectionMachine } from './machines/connection-machine.ts';
export type {
  CloseReport,
  ConnectionEvent,
  ConnectionState,
  Decision,
  FrameName,
} from './machines/connection-ports.ts';
export { type LinkActor, linkMachine } from './machines/link-machine.ts';
export type { LinkEvent, LinkState, LinkStats } from './machines/link-ports.ts';
export { type ServerActor, serverMachine } from './machines/server-machine.ts';
export type { Remaining, ServerEvent, ServerState } from './machines/server-ports.ts';
export type { ServerStats } from './server/counters.ts';
export type { StopReport } from './server/stopping.ts';
export type {
  Backplane,
  BackplaneHistory,
  BackplaneOptions,
  BackplanePresence,
  Deliver,
  Envelope,
  Gap,
  Kept,
  Missed,
  Position,
  Retention,
} from './topics/backplane.ts';
export { decodeEnvelope, encodeEnvelope } from './topics/envelope.ts';
export type { Found } from './topics/joining.ts';
export type { PresenceChange, PublishReport } from './topics/member.ts';
