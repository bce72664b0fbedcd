import { Injectable } from '@nestjs/common';
import { defineTopic, RocketMQListener } from 'nestjs-rocketmq';
import { Inbox, poolDatabase, retryTransaction } from 'nestjs-rocketmq/sql';
import { Pool } from 'pg';

interface Transfer {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly pieces: number;
}
export const TransferOrdered = defineTopic<Transfer>('transfer-ordered', { type: 'normal' });

@Injectable()
export class Warehouse {
  constructor(
    private readonly pool: Pool,
    private readonly inbox: Inbox,
  ) {}

  @RocketMQListener(TransferOrdered)
  async transfer({ id, from, to, pieces }: Transfer): Promise<void> {
    // Two transfers in opposite directions lock the shelves in a different order and can deadlock.
    await retryTransaction(() =>
      poolDatabase(this.pool).transaction((tx) =>
        this.inbox.once(tx, `${id}:transfer`, async () => {
          await tx.query('UPDATE shelf SET pieces = pieces - $1 WHERE name = $2', [pieces, from]);
          await tx.query('UPDATE shelf SET pieces = pieces + $1 WHERE name = $2', [pieces, to]);
        }),
      ),
    );
  }
}
