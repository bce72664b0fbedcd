CREATE TABLE "orders" (
	"id" varchar(36) PRIMARY KEY NOT NULL,
	"article" varchar(255),
	"parcels" integer DEFAULT 0
);
