// A start that fails because the module of a port cannot be loaded, as with a broken installation. Only this spec replaces a module.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, jest } from '@jest/globals';
import { EmbeddedBroker } from './embedded-broker.js';

it.each([
  ['admin', './remoting/remoting-server.js', { nameServerPort: 0 }],
  ['control', './control/control-port.js', { controlPort: 0 }],
])('leaves the folder to the next broker when the %s port cannot be loaded', async (_port, module, ports) => {
  const folder = await mkdtemp(join(tmpdir(), 'failed-start-'));
  const data = join(folder, 'data');
  jest.unstable_mockModule(module, () => {
    throw new Error('not installed');
  });
  const broken = new EmbeddedBroker({ data, ...ports });
  await expect(broken.start()).rejects.toThrow('not installed');
  const next = new EmbeddedBroker({ data });
  await next.start();
  await Promise.all([next.stop(), broken.stop()]);
  await rm(folder, { recursive: true });
});
