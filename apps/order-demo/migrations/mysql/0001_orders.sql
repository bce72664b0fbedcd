CREATE TABLE IF NOT EXISTS `orders` (
  `id` char(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  `sku` varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `quantity` int NOT NULL,
  `status` varchar(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL
    CHECK (`status` IN ('PENDING_STOCK', 'PENDING_PAYMENT', 'PAID', 'REJECTED', 'CANCELED')),
  `created_at` datetime(3) NOT NULL,
  `expires_at` datetime(3) NOT NULL,
  `timeout_message_id` varchar(255) CHARACTER SET ascii COLLATE ascii_bin,
  `recall_handle` text CHARACTER SET ascii COLLATE ascii_bin
) ENGINE = InnoDB;
CREATE TABLE IF NOT EXISTS `order_history` (
  `id` int NOT NULL AUTO_INCREMENT PRIMARY KEY,
  `order_id` char(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `at` datetime(3) NOT NULL,
  `what` varchar(255) CHARACTER SET utf8mb4 NOT NULL,
  `status` varchar(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `message_id` varchar(255) CHARACTER SET ascii COLLATE ascii_bin,
  `attempt` int,
  KEY `order_history_order_id` (`order_id`),
  KEY `order_history_message_id` (`message_id`),
  FOREIGN KEY (`order_id`) REFERENCES `orders` (`id`)
) ENGINE = InnoDB;
