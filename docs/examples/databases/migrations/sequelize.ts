import { schemaStatements } from 'nestjs-rocketmq/sql';
import type { QueryInterface } from 'sequelize';

export async function up({ context: { sequelize } }: { context: QueryInterface }): Promise<void> {
  await sequelize.query(
    'CREATE TABLE orders (id varchar(36) PRIMARY KEY, article varchar(255), parcels int DEFAULT 0)',
  );
  for (const statement of schemaStatements({ dialect: 'mysql', toVersion: 3 })) await sequelize.query(statement);
}

/** The other tables stay, because they may hold messages that were not sent yet. `up` can run again. */
export async function down({ context: { sequelize } }: { context: QueryInterface }): Promise<void> {
  await sequelize.query('DROP TABLE orders');
}
