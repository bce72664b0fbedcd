import { defineConfig, env } from 'prisma/config';

export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
  datasource: { url: env('DATABASE_URL') },
  // Without these two lines, the next `prisma migrate dev` drops the tables. On MySQL and MariaDB leave out "public.",
  // and add rocketmq_outbox_lock.
  experimental: { externalTables: true },
  tables: {
    external: [
      'public.rocketmq_transaction_log',
      'public.rocketmq_inbox',
      'public.rocketmq_outbox',
      'public.rocketmq_schedule',
      'public.rocketmq_schedule_state',
      'public.rocketmq_limit',
    ],
  },
});
