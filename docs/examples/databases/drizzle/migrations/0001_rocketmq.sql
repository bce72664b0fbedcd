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
--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "rocketmq_transaction_log_created_at" ON "rocketmq_transaction_log" ("created_at");
--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "rocketmq_inbox_created_at" ON "rocketmq_inbox" ("created_at");
--> statement-breakpoint
CREATE TABLE IF NOT EXISTS "rocketmq_outbox" (
  "position" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  "id" text NOT NULL UNIQUE,
  "topic" text NOT NULL,
  "message_group" text,
  "fields" jsonb NOT NULL,
  "body" bytea NOT NULL,
  "created_at" timestamptz NOT NULL DEFAULT now(),
  "state" text NOT NULL DEFAULT 'unsent' CHECK ("state" IN ('unsent', 'sent', 'parked')),
  "due_at" timestamptz NOT NULL DEFAULT '-infinity',
  "claim" text,
  "attempts" integer NOT NULL DEFAULT 0,
  "last_error" text,
  "settled_at" timestamptz
);
--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "rocketmq_outbox_unsent" ON "rocketmq_outbox" ("position") WHERE "state" = 'unsent';
--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "rocketmq_outbox_group" ON "rocketmq_outbox" ("message_group", "position") WHERE "state" = 'unsent';
--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "rocketmq_outbox_sent" ON "rocketmq_outbox" ("settled_at") WHERE "state" = 'sent';
--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "rocketmq_outbox_parked" ON "rocketmq_outbox" ("position") WHERE "state" = 'parked';
--> statement-breakpoint
CREATE TABLE IF NOT EXISTS "rocketmq_schedule" (
  "key" text PRIMARY KEY,
  "id" text NOT NULL,
  "topic" text NOT NULL,
  "message_group" text,
  "fields" jsonb NOT NULL,
  "body" bytea NOT NULL,
  "due_at" timestamptz NOT NULL,
  "cron" text,
  "time_zone" text
);
--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "rocketmq_schedule_due" ON "rocketmq_schedule" ("due_at");
--> statement-breakpoint
CREATE TABLE IF NOT EXISTS "rocketmq_schedule_state" (
  "key" text PRIMARY KEY,
  "last_tick_at" timestamptz,
  "paused_at" timestamptz,
  "reason" text
);
--> statement-breakpoint
CREATE TABLE IF NOT EXISTS "rocketmq_limit" (
  "key" text PRIMARY KEY,
  "version" bigint NOT NULL,
  "state" text NOT NULL
);
