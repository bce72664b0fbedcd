import { schemaStatements } from 'nestjs-rocketmq/sql';
import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Orders1764000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('CREATE TABLE orders (id varchar(36) PRIMARY KEY, article varchar(255), parcels int DEFAULT 0)');
    for (const statement of schemaStatements({ dialect: 'postgresql', toVersion: 3 })) await runner.query(statement);
  }

  /** The other tables stay, because they may hold messages that were not sent yet. `up` can run again. */
  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE orders');
  }
}
