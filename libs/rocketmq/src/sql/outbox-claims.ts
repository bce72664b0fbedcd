// The statements with which relays share an outbox: claiming rows and settling them. The database arbitrates.

import type { OutgoingMessage } from '../protocol/model/message.js';
import { fromColumns } from './outbox-message.js';
import { retryTransaction } from './retry-transaction.js';
import type { SqlDatabase } from './sql-port.js';

/** A claimed message to send. */
export interface ClaimedMessage {
  readonly id: string;
  readonly attempts: number;
  readonly message: OutgoingMessage;
}

/** The maximum number of rows of one message group in a claim. They are sent one after another. */
const GROUP_ROWS = 16;

interface ClaimOptions {
  /** The unique name of the claim. */
  readonly claim: string;
  readonly nowMs: number;
  /** When the rows become available again. */
  readonly endsAtMs: number;
  readonly limit: number;
}

/** The result of a failed attempt. */
interface FailedMessage {
  readonly id: string;
  readonly error: string;
  /** When it may be retried; undefined parks it. */
  readonly retryAtMs: number | undefined;
}

/** The rows of one outbox, from the perspective of relays. */
export class OutboxClaims {
  constructor(
    private readonly database: SqlDatabase,
    private readonly table: string,
  ) {}

  /**
   * Claims rows that are due, in the order of their positions. In a message group, only the first unsent row can start a claim, and the
   * following rows are claimed with it, so no other relay can claim rows of the group until these are sent.
   */
  async take({ claim, nowMs, endsAtMs, limit }: ClaimOptions): Promise<ClaimedMessage[]> {
    const { table } = this;
    const text = `WITH "head" AS (
  SELECT "o"."position", "o"."message_group" FROM ${table} "o"
  WHERE "o"."state" = 'unsent' AND "o"."due_at" <= to_timestamp($1::float8 / 1000)
    AND ("o"."message_group" IS NULL OR NOT EXISTS (
      SELECT 1 FROM ${table} "e" WHERE "e"."state" = 'unsent'
        AND "e"."message_group" = "o"."message_group" AND "e"."position" < "o"."position"))
  ORDER BY "o"."position" LIMIT $2::int FOR UPDATE SKIP LOCKED
), "taken" AS (
  SELECT "position" FROM "head" WHERE "message_group" IS NULL
  UNION ALL
  SELECT "next"."position" FROM "head", LATERAL (
    SELECT "n"."position" FROM ${table} "n" WHERE "n"."state" = 'unsent' AND "n"."message_group" = "head"."message_group"
    ORDER BY "n"."position" LIMIT ${GROUP_ROWS}) "next" WHERE "head"."message_group" IS NOT NULL
  ORDER BY 1 LIMIT $2::int
), "claimed" AS (
  UPDATE ${table} "c" SET "claim" = $3::text, "due_at" = to_timestamp($4::float8 / 1000)
  FROM "taken" WHERE "c"."position" = "taken"."position" AND "c"."state" = 'unsent'
  RETURNING "c".*
)
SELECT "id", "topic", "message_group" AS "messageGroup", "fields"::text AS "fields", encode("body", 'base64') AS "body",
  "attempts" FROM "claimed" ORDER BY "position"`;
    const rows = await this.run(text, [nowMs, limit, claim, endsAtMs]);
    return (rows as readonly ClaimedRow[]).map(({ id, attempts, ...columns }) => {
      return { id, attempts, message: fromColumns(id, columns) };
    });
  }

  /** Marks rows as sent, even if another relay has claimed them meanwhile. */
  async sent(ids: readonly string[]): Promise<void> {
    const text =
      `UPDATE ${this.table} SET "state" = 'sent', "claim" = NULL, "last_error" = NULL, "settled_at" = now() ` +
      `WHERE "state" <> 'sent' AND "id" IN (SELECT jsonb_array_elements_text($1::jsonb))`;
    await this.run(text, [JSON.stringify(ids)]);
  }

  /** Records a failed attempt and releases the row, unless another relay has claimed it meanwhile. */
  async failed(claim: string, { id, error, retryAtMs }: FailedMessage): Promise<void> {
    const end =
      retryAtMs === undefined
        ? `"state" = 'parked', "settled_at" = now()`
        : '"due_at" = to_timestamp($4::float8 / 1000)';
    const text =
      `UPDATE ${this.table} SET ${end}, "attempts" = "attempts" + 1, "last_error" = $3::text, "claim" = NULL ` +
      `WHERE "id" = $2::text AND "claim" = $1::text AND "state" = 'unsent'`;
    await this.run(text, [claim, id, error, ...(retryAtMs === undefined ? [] : [retryAtMs])]);
  }

  /** Releases rows that were not tried, unless another relay has claimed them meanwhile. */
  async release(claim: string, ids: readonly string[]): Promise<void> {
    const text =
      `UPDATE ${this.table} SET "claim" = NULL, "due_at" = '-infinity' WHERE "claim" = $1::text AND "state" = 'unsent' ` +
      'AND "id" IN (SELECT jsonb_array_elements_text($2::jsonb))';
    await this.run(text, [claim, JSON.stringify(ids)]);
  }

  private async run(text: string, parameters: unknown[]): Promise<readonly object[]> {
    // Marking sent rows must not fail because of a conflict: the messages would be sent again.
    const run = () => this.database.transaction((tx) => tx.query(text, parameters));
    return (await retryTransaction(run)).rows;
  }
}

interface ClaimedRow {
  readonly id: string;
  readonly attempts: number;
  readonly topic: string;
  readonly messageGroup: string | null;
  readonly fields: string;
  readonly body: string;
}
