// The example of docs/guide/console.md, run.

import { afterEach, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { OperationsModule } from '../../docs/examples/console.js';

describe('the example of the console', () => {
  let app: INestApplication;
  afterEach(() => app.close());

  it('lets in who has signed in, and lets only some replay', async () => {
    const compiled = await Test.createTestingModule({ imports: [OperationsModule] }).compile();
    app = compiled.createNestApplication({ logger: false });
    app.use((request: { headers: Record<string, string>; user?: unknown }, _: unknown, next: () => void) => {
      const email = request.headers['x-email'];
      if (email !== undefined) request.user = { email };
      next();
    });
    await app.listen(0, '127.0.0.1');
    const url = await app.getUrl();
    const visit = (email?: string): Promise<Response> =>
      fetch(`${url}/rocketmq/api/session`, { headers: email === undefined ? {} : { 'x-email': email } });
    expect((await visit()).status).toBe(403);
    await expect((await visit('ada@example.com')).json()).resolves.toMatchObject({
      viewer: 'ada@example.com',
      actions: ['replay', 'rewind'],
    });
    const plan = async (email: string): Promise<number> => {
      const { origin } = new URL(url);
      const headers = { 'x-email': email, 'content-type': 'application/json', 'x-rocketmq-console': '1', origin };
      const body = JSON.stringify({ action: 'replay', consumerGroup: 'billing' });
      return (await fetch(`${url}/rocketmq/api/plans`, { method: 'POST', headers, body })).status;
    };
    expect([await plan('ada@example.com'), await plan('bob@example.com')]).toEqual([200, 403]);
  });
});
