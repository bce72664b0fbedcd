CREATE TABLE IF NOT EXISTS "orders" (
  "id" uuid PRIMARY KEY,
  "sku" text NOT NULL,
  "quantity" integer NOT NULL,
  "status" text NOT NULL CHECK ("status" IN ('PENDING_STOCK', 'PENDING_PAYMENT', 'PAID', 'REJECTED', 'CANCELED')),
  "created_at" timestamptz NOT NULL,
  "expires_at" timestamptz NOT NULL,
  "timeout_message_id" text,
  "recall_handle" text
);
CREATE TABLE IF NOT EXISTS "order_history" (
  "id" serial PRIMARY KEY,
  "order_id" uuid NOT NULL REFERENCES "orders" ("id"),
  "at" timestamptz NOT NULL,
  "what" text NOT NULL,
  "status" text NOT NULL,
  "message_id" text,
  "attempt" integer
);
CREATE INDEX IF NOT EXISTS "order_history_order_id" ON "order_history" ("order_id");
CREATE INDEX IF NOT EXISTS "order_history_message_id" ON "order_history" ("message_id");
