import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ConsumerBench, FIFO } from '../../../../test/fixtures/consumer-bench.js';
import { forwardTo, type TcpForwarder } from '../../../../test/fixtures/tcp-forwarder.js';
import { until } from '../../../../tools/until.js';
import { MINUTE_MS, SECOND_MS } from '../support/clock.js';
import type { ConsumerTelemetrySource } from './model/consumer-telemetry.js';

describe('a push consumer whose receives fail', () => {
  let bench: ConsumerBench;
  const forwarders: TcpForwarder[] = [];

  beforeEach(async () => {
    bench = await ConsumerBench.open();
  });
  afterEach(async () => {
    await bench.close();
    for (const forwarder of forwarders.splice(0)) await forwarder.close();
  });

  it('receives messages again whose answer was lost when their leases end, and loses none', async () => {
    bench.broker.faults.add({ rpc: 'receiveMessage', action: { kind: 'dropResponse' } });
    await bench.send('one', 'two');
    await bench.consume(bench.journalled);
    // The receive whose answer is lost has begun, and takes the first two.
    await until(() => bench.broker.faults.list().length === 0);
    await bench.send('three');
    await bench.journal.has(1);
    await bench.broker.advance(MINUTE_MS, { duringWork: true });
    const lines = await bench.journal.has(3);
    await bench.broker.idle();
    expect(lines.map((line) => line.split(' ')[0]).sort()).toEqual(['one', 'three', 'two']);
    expect(bench.isAllSettled).toBe(true);
  });

  it('of an ordered group receives them again at once, by the same attempt id, and in order', async () => {
    bench.broker.faults.add({ rpc: 'receiveMessage', action: { kind: 'dropResponse' } });
    await bench.sendSteps('a1', 'a2', 'a3');
    await bench.consume(bench.journalled, FIFO);
    expect(await bench.journal.has(3)).toEqual(['a1 1', 'a2 1', 'a3 1']);
    await until(() => bench.isAllSettled);
  });

  it('recovers when its connection breaks in the middle of everything', async () => {
    const forwarder = await forwardTo(Number(bench.broker.endpoints.split(':')[1]));
    forwarders.push(forwarder);
    const connection = bench.connectionTo(`127.0.0.1:${forwarder.port}`, { useBootstrapEndpoints: true });
    await bench.consume(bench.journalled, {}, connection);
    for (const body of ['one', 'two', 'three']) {
      await bench.send(body);
      await until(() => bench.journal.lines.some((line) => line.startsWith(body)));
      forwarder.reset();
    }
    await until(() => bench.isAllSettled);
    await bench.broker.advance(MINUTE_MS);
    expect(bench.journal.lines).toEqual(['one 1', 'two 1', 'three 1']);
  });

  it('handles the messages of a poll although its telemetry throws', async () => {
    const nothing = (): void => {};
    const telemetry: ConsumerTelemetrySource = {
      pushConsumer: () => ({
        start: nothing,
        close: nothing,
        failed: nothing,
        deadLetter: nothing,
        leaseLost: nothing,
        handler: (handler) => handler,
        batchHandler: (handler) => handler,
        received: () => {
          throw new Error('no room for another series');
        },
      }),
      simpleConsumer: () => undefined,
    };
    await bench.consume(bench.journalled, { telemetry });
    await bench.send('one');
    expect(await bench.journal.has(1)).toEqual(['one 1']);
    await until(() => bench.isAllSettled);
  });

  it('sends its settings again when the server has forgotten them, before it receives', async () => {
    const consumer = await bench.consume(bench.journalled, { consumerGroup: 'stock' });
    await bench.send('one');
    await bench.journal.has(1);
    bench.broker.faults.loseSettings(consumer.clientId);
    bench.broker.faults.cutStreams(consumer.clientId);
    await bench.send('two');
    expect(await bench.journal.has(2)).toEqual(['one 1', 'two 1']);
  });

  it('waits longer after each rejection, and receives when the server has recovered', async () => {
    bench.broker.faults.add({
      rpc: 'receiveMessage',
      action: { kind: 'answer', code: 'INTERNAL_SERVER_ERROR' },
      times: 3,
    });
    await bench.send('one');
    await bench.consume(bench.journalled);
    expect(await bench.journal.has(1)).toEqual(['one 1']);
  });

  it('treats a lease as uncertain when the answer to its renewal was lost, and reports the ack as uncertain', async () => {
    const release: (() => void)[] = [];
    await bench.consume(
      async (message, context) => {
        void bench.journalled(message, context);
        if (message.deliveryAttempt === 1) await new Promise<void>((resolve) => release.push(resolve));
      },
      { invisibleDurationMs: 10 * SECOND_MS, events: bench.events },
    );
    await bench.send('one');
    await bench.journal.has(1);
    bench.broker.faults.add({ rpc: 'changeInvisibleDuration', action: { kind: 'dropResponse' } });
    await bench.broker.advance(5 * SECOND_MS, { duringWork: true });
    release[0]?.();
    expect(await bench.journal.has(2)).toEqual(['one 1', 'unsettled one ack']);
    // The renewal took effect, but its new handle was lost: the message is redelivered.
    await bench.broker.advance(MINUTE_MS, { duringWork: true });
    const lines = await bench.journal.has(3);
    expect(lines[2]).toBe('one 2');
  });
});
