package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const (
	largestMessage = 64 * 1024 * 1024
	// One answer in so many has large headers and trailers.
	largeOneOf = 4
	// Fields of this size are remembered in a header table, and evict each other.
	fieldBytes = 300
)

// rawCodec passes messages on as they are.
type rawCodec struct{}

type message struct{ bytes []byte }

func (rawCodec) Marshal(v any) ([]byte, error) { return v.(*message).bytes, nil }
func (rawCodec) Unmarshal(bytes []byte, v any) error {
	v.(*message).bytes = bytes
	return nil
}
func (rawCodec) Name() string { return "raw" }

type forwarder struct {
	broker   *grpc.ClientConn
	paddedBy int
	calls    atomic.Int64
}

func newForwarder(broker string, paddedBy int) (*forwarder, error) {
	connection, err := grpc.NewClient(
		"passthrough:///"+broker,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(rawCodec{}), grpc.MaxCallRecvMsgSize(largestMessage)),
	)
	return &forwarder{broker: connection, paddedBy: paddedBy}, err
}

func (f *forwarder) forward(_ any, client grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(client)
	asked, _ := metadata.FromIncomingContext(client.Context())
	passed := metadata.MD{}
	for name, values := range asked {
		if name != "content-type" && name != "user-agent" && !strings.HasPrefix(name, ":") {
			passed[name] = values
		}
	}
	context := metadata.NewOutgoingContext(client.Context(), passed)
	description := &grpc.StreamDesc{StreamName: method, ServerStreams: true, ClientStreams: true}
	broker, err := f.broker.NewStream(context, description, method)
	if err != nil {
		return err
	}
	go passRequests(client, broker)
	return f.passAnswers(broker, client)
}

// passRequests ends with the context of the call.
func passRequests(client grpc.ServerStream, broker grpc.ClientStream) {
	for {
		var request message
		if err := client.RecvMsg(&request); errors.Is(err, io.EOF) {
			_ = broker.CloseSend()
			return
		} else if err != nil {
			return
		}
		if broker.SendMsg(&request) != nil {
			return
		}
	}
}

func (f *forwarder) passAnswers(broker grpc.ClientStream, client grpc.ServerStream) error {
	isLarge := f.paddedBy > 0 && f.calls.Add(1)%largeOneOf == 0
	headers, err := broker.Header()
	if err != nil {
		return err
	}
	if isLarge {
		headers = metadata.Join(headers, large("headers", f.paddedBy))
	}
	if err := client.SendHeader(headers); err != nil {
		return err
	}
	for {
		var answer message
		err := broker.RecvMsg(&answer)
		if err != nil {
			client.SetTrailer(broker.Trailer())
			if isLarge {
				client.SetTrailer(large("trailers", f.paddedBy))
			}
			if errors.Is(err, io.EOF) {
				return nil
			}
			return status.Convert(err).Err()
		}
		if err := client.SendMsg(&answer); err != nil {
			return err
		}
	}
}

// large has fields of some size, none of which repeats.
func large(name string, bytes int) metadata.MD {
	fields := metadata.MD{}
	for at := 0; at < bytes; at += fieldBytes {
		value := fmt.Sprintf("%x", rand.Uint64())
		fields.Append(fmt.Sprintf("x-%s-%d", name, at), value+strings.Repeat("x", fieldBytes-len(value)))
	}
	return fields
}
