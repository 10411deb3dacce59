/**
 * Portal: the WebSocket server in which every connection is a statechart.
 */
export {
  type AnyCodec,
  type Codec,
  json,
  type SchemaIssue,
  type StandardSchema,
  type Typing,
} from './api/codec.ts';
export type { Connection } from './api/connection.ts';
export {
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
  UnknownServerError,
  UserError,
} from './api/errors.ts';
export type {
  Acceptance,
  Fragment,
  Handlers,
  HandshakeRequest,
  Message,
  PlainRequest,
  Verdict,
} from './api/handlers.ts';
export type { ConnectionStats, InspectionObserver, ServerStats } from './api/inspection.ts';
export type { Limits, ServerOptions } from './api/options.ts';
export type { Failure, Lifecycle, Path, Received } from './api/path.ts';
export { createServer, getServer, newServer, startServer, stopServer } from './api/registry.ts';
export type { Params, ParamsOf } from './api/router.ts';
export type { Server } from './api/server.ts';
export type { StopOptions, StopReport } from './api/stopping.ts';
export type { Clock } from './io/clock.ts';
export type { CloseKeyword } from './io/close-payload.ts';
export type { HttpResponse } from './io/http-response.ts';
export {
  type EncodedMessage,
  encodeMessage as prepare,
  type Overflow,
  type SendResult,
} from './io/outbox.ts';
export type { Listener, Transport, TransportListener } from './io/transports/transport.ts';
export { connectionMachine } from './machines/connection-machine.ts';
export type {
  CloseReport,
  ConnectionEvent,
  ConnectionState,
  Decision,
  FrameName,
} from './machines/connection-ports.ts';
export { serverMachine } from './machines/server-machine.ts';
export type { ServerEvent, ServerState } from './machines/server-ports.ts';
