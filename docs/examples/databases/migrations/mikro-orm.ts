import { Migration } from '@mikro-orm/migrations';
import { schemaStatements } from 'nestjs-rocketmq/sql';

export class Migration20251124120000 extends Migration {
  override up(): void {
    this.addSql(
      'CREATE TABLE orders (id varchar(36) PRIMARY KEY, article varchar(255) NOT NULL, parcels int NOT NULL)',
    );
    for (const statement of schemaStatements({ dialect: 'postgresql', toVersion: 3 })) this.addSql(statement);
  }

  /** The other tables stay, because they may hold messages that were not sent yet. `up` can run again. */
  override down(): void {
    this.addSql('DROP TABLE orders');
  }
}
