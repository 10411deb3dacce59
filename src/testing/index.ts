/**
 * `portal-ws/testing`: a server and its clients in one process, without ports and without sleeps.
 */
export { ManualClock, type ManualClockOptions } from '../io/time/manual-clock.ts';
export {
  MemoryListener,
  type MemoryOptions,
  type MemoryTransport,
  memoryPair,
} from '../io/transports/memory.ts';
export { type BackplaneTest, type BackplaneTestOptions, backplaneTests } from './backplane.ts';
export {
  type ClientClose,
  type ConnectOptions,
  HandshakeRefused,
  TestClient,
  type TestMessage,
} from './client.ts';
export type { ClientFrame } from './frames.ts';
export { MemoryEngine } from './memory-engine.ts';
export { settled, type TestParts, TestServer, testServer } from './server.ts';
