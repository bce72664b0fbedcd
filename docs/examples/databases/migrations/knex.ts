import type { Knex } from 'knex';
import { schemaStatements } from 'nestjs-rocketmq/sql';

export async function up(knex: Knex): Promise<void> {
  await knex.raw('CREATE TABLE orders (id varchar(36) PRIMARY KEY, article varchar(255), parcels int DEFAULT 0)');
  for (const statement of schemaStatements({ dialect: 'mysql', toVersion: 3 })) await knex.raw(statement);
}

/** The other tables stay, because they may hold messages that were not sent yet. `up` can run again. */
export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP TABLE orders');
}
