CREATE TYPE "public"."reservation_status" AS ENUM('RESERVED', 'REJECTED', 'SOLD', 'RETURNED');--> statement-breakpoint
CREATE TABLE "reservations" (
	"order_id" uuid PRIMARY KEY NOT NULL,
	"sku" text,
	"quantity" integer NOT NULL,
	"status" "reservation_status" NOT NULL
);
--> statement-breakpoint
CREATE TABLE "stock" (
	"sku" text PRIMARY KEY NOT NULL,
	"available" integer NOT NULL,
	"reserved" integer DEFAULT 0 NOT NULL,
	"sold" integer DEFAULT 0 NOT NULL,
	CONSTRAINT "stock_not_negative" CHECK ("stock"."available" >= 0 and "stock"."reserved" >= 0 and "stock"."sold" >= 0)
);
