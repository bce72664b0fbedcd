import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, it } from '@jest/globals';
import { Message } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { fromWireMessage } from '../../protocol/grpc/message-mapping.js';
import { type ConsumeInterceptor, intercepted } from './consume-interceptor.js';
import type { MessageHandler } from './handler.js';
import { DeadLetterError } from './outcome-errors.js';

const message = fromWireMessage(
  Message.fromPartial({ topic: { name: 'orders' }, systemProperties: { messageId: 'id-1' } }),
);
const { signal } = new AbortController();

/** The result of the handler with these interceptors around it. */
async function endOf(handler: MessageHandler, ...interceptors: ConsumeInterceptor[]): Promise<string> {
  try {
    await intercepted(handler, interceptors)(message, { signal });
    return 'handled';
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

const failing: MessageHandler = () => Promise.reject(new Error('no stock'));

describe('interceptors', () => {
  it('are nested around the handler, the first one outermost, and see message and context', async () => {
    const lines: string[] = [];
    const named =
      (name: string): ConsumeInterceptor =>
      async ({ messageId }, context, next) => {
        lines.push(`${name} before ${messageId} ${context.signal === signal}`);
        await next();
        lines.push(`${name} after`);
      };
    expect(await endOf(() => lines.push('handler'), named('outer'), named('inner'))).toBe('handled');
    expect(lines).toEqual([
      'outer before id-1 true',
      'inner before id-1 true',
      'handler',
      'inner after',
      'outer after',
    ]);
  });

  it('can give the handler a context of its own', async () => {
    const storage = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const handler: MessageHandler = async () => {
      await Promise.resolve();
      seen.push(storage.getStore());
    };
    await endOf(handler, ({ messageId }, _context, next) => storage.run(`context of ${messageId}`, next));
    expect(seen).toEqual(['context of id-1']);
  });

  it("see the handler's error and can throw another one, but cannot turn it into a success", async () => {
    const translating: ConsumeInterceptor = async (_message, _context, next) => {
      await next().catch((error: Error) => {
        throw new DeadLetterError(`translated: ${error.message}`);
      });
    };
    expect(await endOf(failing, (_message, _context, next) => next())).toBe('Error: no stock');
    expect(await endOf(failing, translating)).toBe('DeadLetterError: translated: no stock');
    expect(await endOf(failing, (_message, _context, next) => next().catch(() => {}))).toBe('Error: no stock');
  });

  it('fail the attempt when they throw, before the handler or after it', async () => {
    const before: ConsumeInterceptor = async () => {
      throw new Error('not allowed');
    };
    const after: ConsumeInterceptor = async (_message, _context, next) => {
      await next();
      throw new Error('not measured');
    };
    expect([await endOf(() => {}, before), await endOf(() => {}, after)]).toEqual([
      'Error: not allowed',
      'Error: not measured',
    ]);
  });

  it('that do not call next have failed: a message without a handler call is not acknowledged', async () => {
    expect(
      await endOf(
        () => {},
        async () => {},
      ),
    ).toBe('NEXT_NOT_CALLED');
  });

  it('that call next twice run the handler once and get an error', async () => {
    let runs = 0;
    const again: ConsumeInterceptor = (_message, _context, next) => next().then(next);
    expect(await endOf(() => void runs++, again)).toBe('NEXT_CALLED_TWICE');
    expect(runs).toBe(1);
  });

  it('that do not await next do not end the attempt before the handler has ended', async () => {
    const hasty: ConsumeInterceptor = async (_message, _context, next) => void next();
    const slowlyFailing: MessageHandler = async () => {
      await new Promise((resolve) => setImmediate(resolve));
      throw new Error('no stock');
    };
    expect(await endOf(slowlyFailing, hasty)).toBe('Error: no stock');
  });
});
