-- CreateTable
CREATE TABLE "orders" (
    "id" TEXT NOT NULL,
    "article" TEXT NOT NULL,
    "parcels" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "orders_pkey" PRIMARY KEY ("id")
);
