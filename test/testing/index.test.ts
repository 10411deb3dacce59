// What `import … from 'portal-ws/testing'` gives.

import { expect, test } from 'vitest';
import * as testing from '../../src/testing/index.ts';

test('these names are exported, and no others', () => {
  expect(Object.keys(testing).sort()).toEqual([
    'HandshakeRefused',
    'ManualClock',
    'MemoryListener',
    'TestClient',
    'TestServer',
    'memoryPair',
    'settled',
    'testServer',
  ]);
});
