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
CREATE INDEX IF NOT EXISTS "rocketmq_schedule_due" ON "rocketmq_schedule" ("due_at");
