CREATE TABLE IF NOT EXISTS "stock" (
  "sku" text PRIMARY KEY,
  "available" integer NOT NULL CHECK ("available" >= 0),
  "reserved" integer NOT NULL DEFAULT 0 CHECK ("reserved" >= 0),
  "sold" integer NOT NULL DEFAULT 0 CHECK ("sold" >= 0)
);
CREATE TABLE IF NOT EXISTS "reservations" (
  "order_id" uuid PRIMARY KEY,
  "sku" text,
  "quantity" integer NOT NULL,
  "status" text NOT NULL CHECK ("status" IN ('RESERVED', 'REJECTED', 'SOLD', 'RETURNED'))
);
CREATE TABLE IF NOT EXISTS "stock_history" (
  "id" serial PRIMARY KEY,
  "order_id" uuid NOT NULL,
  "at" timestamptz NOT NULL,
  "what" text NOT NULL,
  "message_id" text,
  "attempt" integer
);
CREATE INDEX IF NOT EXISTS "stock_history_order_id" ON "stock_history" ("order_id");
