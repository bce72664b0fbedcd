#!/usr/bin/env bash
# github.com/apache/rocketmq-client-go/v2 2.1.2, without a server.
#
# Guessed: consumer.CreateReplyMessage(request, body) creates a message that carries the body to who asked, as MessageUtil.createReplyMessage of
#   rocketmq-client 4.9.8 and 5.5.0 for Java does.
# Seen: the message has the topic, the type and the correlation id of an answer, and no body: the body is read as a list of properties.
#   A text without separators of properties leaves no trace. No error says so.
#
# What it means for users: who asks such a Go service waits until the request times out, or gets an answer without its text. Such a service sets
# Body on the created message before it sends it. Needs Go 1.25 or newer. Takes about a minute.

set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"
export GOFLAGS=-mod=mod GOMODCACHE="$folder/modules" GOCACHE="$folder/builds"

cat >go.mod <<'GO'
module finding

go 1.25

require github.com/apache/rocketmq-client-go/v2 v2.1.2
GO
cat >main.go <<'GO'
package main

import (
	"fmt"

	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

func main() {
	request := &primitive.MessageExt{}
	request.WithProperty(primitive.PropertyCluster, "DefaultCluster")
	request.WithProperty(primitive.PropertyCorrelationID, "one")
	request.WithProperty(primitive.PropertyMessageReplyToClient, "asker")
	request.WithProperty(primitive.PropertyMessageTTL, "3000")
	answer, err := consumer.CreateReplyMessage(request, []byte("paid"))
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s %s %q\n", answer.Topic, answer.GetProperty(primitive.PropertyMsgType), answer.Body)
}
GO
go run . 2>/dev/null | tee seen

diff seen - <<'SEEN'
DefaultCluster_REPLY_TOPIC reply ""
SEEN
echo 'as described'
