CREATE TABLE IF NOT EXISTS "rocketmq_rate_limit" (
  "key" text PRIMARY KEY,
  "version" bigint NOT NULL,
  "state" text NOT NULL
);
