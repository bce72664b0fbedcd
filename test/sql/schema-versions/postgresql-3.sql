CREATE TABLE IF NOT EXISTS "rocketmq_schedule_state" (
  "key" text PRIMARY KEY,
  "last_tick_at" timestamptz,
  "paused_at" timestamptz,
  "reason" text
);
CREATE TABLE IF NOT EXISTS "rocketmq_limit" (
  "key" text PRIMARY KEY,
  "version" bigint NOT NULL,
  "state" text NOT NULL
);
