import { Inbox, Outbox, OutboxRelay, type OutboxSend, typeormDatabase, typeormExecutor } from 'nestjs-rocketmq/sql';
import type { DataSource } from 'typeorm';

const inbox = new Inbox();
const outbox = new Outbox();

/** Books a payment once, and announces it. */
export async function bookPayment(dataSource: DataSource, order: string, cents: number): Promise<void> {
  await dataSource.transaction(async (manager) => {
    const tx = typeormExecutor(manager);
    await inbox.once(tx, `${order}:paid`, async () => {
      await manager.query('INSERT INTO ledger VALUES ($1, $2)', [order, cents]);
      await outbox.add(tx, { topic: 'payment-booked', body: { order, cents }, keys: [order] });
    });
  });
}

export function paymentRelay(dataSource: DataSource, send: OutboxSend): OutboxRelay {
  return new OutboxRelay({ outbox, database: typeormDatabase(dataSource), send });
}
