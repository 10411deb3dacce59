/** TCP on Node's handle does what TCP by `net.Socket` does. */
import { HandleTcpListener } from '../../../src/io/transports/handle-tcp.ts';
import { tcpSuite } from './tcp-suite.ts';

tcpSuite('TCP by handle', (options) => new HandleTcpListener(options));
