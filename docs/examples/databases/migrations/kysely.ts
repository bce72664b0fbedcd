import { type Kysely, sql } from 'kysely';
import { schemaStatements } from 'nestjs-rocketmq/sql';

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`CREATE TABLE orders (id varchar(36) PRIMARY KEY, article varchar(255), parcels int DEFAULT 0)`.execute(db);
  for (const statement of schemaStatements({ dialect: 'postgresql', toVersion: 3 }))
    await sql.raw(statement).execute(db);
}

/** The other tables stay, because they may hold messages that were not sent yet. `up` can run again. */
export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`DROP TABLE orders`.execute(db);
}
