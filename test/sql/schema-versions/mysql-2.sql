CREATE TABLE IF NOT EXISTS `rocketmq_schedule` (
  `key` varbinary(255) NOT NULL PRIMARY KEY,
  `id` varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `topic` varchar(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `message_group` varbinary(255),
  `fields` mediumtext CHARACTER SET utf8mb4 NOT NULL,
  `body` mediumblob NOT NULL,
  `due_at` bigint NOT NULL,
  `cron` varchar(255) CHARACTER SET ascii COLLATE ascii_bin,
  `time_zone` varchar(64) CHARACTER SET ascii COLLATE ascii_bin,
  KEY `due_at` (`due_at`)
) ENGINE = InnoDB;
