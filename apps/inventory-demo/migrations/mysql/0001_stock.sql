CREATE TABLE IF NOT EXISTS `stock` (
  `sku` varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  `available` int NOT NULL CHECK (`available` >= 0),
  `reserved` int NOT NULL DEFAULT 0 CHECK (`reserved` >= 0),
  `sold` int NOT NULL DEFAULT 0 CHECK (`sold` >= 0)
) ENGINE = InnoDB;
CREATE TABLE IF NOT EXISTS `reservations` (
  `order_id` char(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  `sku` varchar(64) CHARACTER SET ascii COLLATE ascii_bin,
  `quantity` int NOT NULL,
  `status` varchar(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL
    CHECK (`status` IN ('RESERVED', 'REJECTED', 'SOLD', 'RETURNED'))
) ENGINE = InnoDB;
CREATE TABLE IF NOT EXISTS `stock_history` (
  `id` int NOT NULL AUTO_INCREMENT PRIMARY KEY,
  `order_id` char(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `at` datetime(3) NOT NULL,
  `what` varchar(255) CHARACTER SET utf8mb4 NOT NULL,
  `message_id` varchar(255) CHARACTER SET ascii COLLATE ascii_bin,
  `attempt` int,
  KEY `stock_history_order_id` (`order_id`)
) ENGINE = InnoDB;
