CREATE TABLE "stock_history" (
	"id" serial PRIMARY KEY NOT NULL,
	"order_id" uuid NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"what" text NOT NULL,
	"message_id" text,
	"attempt" integer
);
--> statement-breakpoint
CREATE INDEX "stock_history_order_id" ON "stock_history" USING btree ("order_id");