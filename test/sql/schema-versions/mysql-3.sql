CREATE TABLE IF NOT EXISTS `rocketmq_limit` (
  `key` varbinary(1020) NOT NULL PRIMARY KEY,
  `version` bigint NOT NULL,
  `state` mediumtext CHARACTER SET ascii COLLATE ascii_bin NOT NULL
) ENGINE = InnoDB;
