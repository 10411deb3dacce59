// What `import … from 'portal-ws'` gives. The types are beside this file, in index.types.ts.

import { expect, test } from 'vitest';
import * as portal from '../src/index.ts';

test('these names are exported, and no others', () => {
  expect(Object.keys(portal).sort()).toEqual([
    'BackplaneError',
    'ConnectionLostError',
    'HandshakeError',
    'InternalError',
    'InvalidMessageError',
    'LimitError',
    'MemoryBudget',
    'NameTakenError',
    'NoMessageHandlerError',
    'OptionError',
    'PeerError',
    'PortalError',
    'ProtocolError',
    'SendLimitError',
    'SubscriberError',
    'UnknownServerError',
    'UserError',
    'connectionMachine',
    'createServer',
    'decodeEnvelope',
    'encodeEnvelope',
    'getServer',
    'json',
    'linkMachine',
    'newServer',
    'prepare',
    'serverMachine',
    'startServer',
    'stopServer',
  ]);
});
