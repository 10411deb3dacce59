// What `import … from 'portal-ws/testing'` gives.

import { expect, test } from 'vitest';
import * as testing from '../../src/testing/index.ts';

test('these names are exported, and no others', () => {
  expect(Object.keys(testing).sort()).toEqual([
    'HandshakeRefused',
    'ManualClock',
    'MemoryEngine',
    'MemoryListener',
    'TestClient',
    'TestServer',
    'backplaneTests',
    'memoryPair',
    'settled',
    'testServer',
  ]);
});
