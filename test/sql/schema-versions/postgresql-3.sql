CREATE TABLE IF NOT EXISTS "rocketmq_limit" (
  "key" text PRIMARY KEY,
  "version" bigint NOT NULL,
  "state" text NOT NULL
);
