CREATE TABLE IF NOT EXISTS `rocketmq_schedule_state` (
  `key` varbinary(255) NOT NULL PRIMARY KEY,
  `last_tick_at` bigint,
  `paused_at` bigint,
  `reason` text CHARACTER SET utf8mb4
) ENGINE = InnoDB;
CREATE TABLE IF NOT EXISTS `rocketmq_limit` (
  `key` varbinary(1020) NOT NULL PRIMARY KEY,
  `version` bigint NOT NULL,
  `state` mediumtext CHARACTER SET ascii COLLATE ascii_bin NOT NULL
) ENGINE = InnoDB;
