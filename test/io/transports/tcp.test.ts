import { TcpListener } from '../../../src/io/transports/tcp.ts';
import { tcpSuite } from './tcp-suite.ts';

tcpSuite('TCP by net.Socket', (options) => new TcpListener(options));
