CREATE TABLE IF NOT EXISTS "rocketmq_transaction_log" (
  "transaction_id" text PRIMARY KEY,
  "topic" text NOT NULL,
  "resolution" text NOT NULL CHECK ("resolution" IN ('commit', 'rollback')),
  "created_at" timestamptz NOT NULL DEFAULT now()
);
--> statement-breakpoint
CREATE TABLE IF NOT EXISTS "rocketmq_inbox" (
  "key" text PRIMARY KEY,
  "created_at" timestamptz NOT NULL DEFAULT now()
);
