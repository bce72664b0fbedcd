#!/bin/sh
# Makes the topics and consumer groups of the demos, or brings them into line, and ends. Run where the library is at hand;
# ROCKETMQ_NAME_SERVER says where the name server is.
set -eu

nestjs_rocketmq() {
  node libs/rocketmq/bin/nestjs-rocketmq.js "$@"
}

for topic in order-created stock-result order-paid stock-return; do
  nestjs_rocketmq topic create "$topic" --type transaction
done
nestjs_rocketmq topic create order-timeout --type delay

for group in order-service inventory-service; do
  nestjs_rocketmq group create "$group"
done
